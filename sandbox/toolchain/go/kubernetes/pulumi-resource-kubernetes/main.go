// Command pulumi-resource-kubernetes is Pulumi's official plugin for Kubernetes, built from its published module.
//
// The module has everything but the two files that its own main package embeds, which are made at a release: they are
// copies of the two beside it, which the build lays here.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

// version is the plugin's, set by the build.
var version string

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version, schema, terraformMapping)
}
