// Command pulumi-resource-kubernetes is Pulumi's official plugin for Kubernetes, built from its published module.
//
// The module lacks only the two files that its main package embeds, which are generated at release time. They are copies
// of two files that the module has; the build puts them here.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

// version is the plugin's version. The build sets it.
var version string

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version, schema, terraformMapping)
}
