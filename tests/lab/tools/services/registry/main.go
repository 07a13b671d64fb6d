// Command registry is upstream's OCI registry without the drivers of the clouds, which are most of
// what it takes to build it: folders for storage, htpasswd for authentication.
package main

import (
	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	_ = registry.RootCmd.Execute() // it prints the error and ends the process itself
}
