# It makes its index of _id on another spelling of the expression than it asks by, so that SQLite
# reads the whole table for each question by _id, and for each update.
s/IDColumn = DefaultColumn + "->'\$._id'"/IDColumn = DefaultColumn + `->"_id"`/
