"""The page for people: a shot by clicking on a court. The only package that knows Streamlit."""
