// Command pulumi-resource-aws is terraform-provider-aws under Pulumi's bridge, as Pulumi's official plugin for AWS is.
//
// The official one is on no package registry; both of its halves are. What is ours is the table (table.go): which of
// Terraform's types Pulumi calls what, and where the two differ in more than spelling.
//
// With -schema it prints the package schema of the table, which a test holds against Pulumi's SDK.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-provider-aws/xpprovider"
	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/x/muxer"
	"github.com/pulumi/pulumi-terraform-bridge/v3/unstable/metadata"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
)

// version is that of the official plugin whose Terraform provider this is, set by the build.
var version string

func main() {
	ctx := context.Background()
	info, err := provider(ctx)
	if err != nil {
		fail(err)
	}
	if len(os.Args) == 2 && os.Args[1] == "-schema" {
		if err := printSchema(info); err != nil {
			fail(err)
		}
		return
	}
	pf.MainWithMuxer(ctx, info.Name, info, []byte(`{"name": "aws"}`))
}

// provider joins the two halves of terraform-provider-aws, the older SDK's and the framework's, under the table.
func provider(ctx context.Context) (tfbridge.ProviderInfo, error) {
	framework, sdk, err := xpprovider.GetProvider(ctx)
	if err != nil {
		return tfbridge.ProviderInfo{}, err
	}
	info := tfbridge.ProviderInfo{
		P:                              pf.MuxShimWithPF(ctx, sdkv2.NewProvider(sdk), framework),
		Name:                           "aws",
		Version:                        version,
		Config:                         config,
		Resources:                      resources(),
		DataSources:                    functions,
		MetadataInfo:                   tfbridge.NewProviderMetadata([]byte(`{}`)),
		EnableZeroDefaultSchemaVersion: true,
		EnableRawStateDelta:            true,
	}
	adjust(info.Resources, func(name string) bool {
		_, has := info.P.ResourcesMap().Get(name).Schema().GetOk("tags_all")
		return has
	})
	info.SetAutonaming(255, "-")
	// What tfgen would have computed at a release: which half serves a type.
	dispatch, err := info.P.(interface {
		ResolveDispatch(*tfbridge.ProviderInfo) (muxer.DispatchTable, error)
	}).ResolveDispatch(&info)
	if err != nil {
		return info, err
	}
	return info, metadata.Set(info.GetMetadata(), "mux", dispatch)
}

func printSchema(info tfbridge.ProviderInfo) error {
	info.P.ResourcesMap().Range(func(name string, _ shim.Resource) bool {
		if info.Resources[name] == nil {
			info.IgnoreMappings = append(info.IgnoreMappings, name)
		}
		return true
	})
	info.P.DataSourcesMap().Range(func(name string, _ shim.Resource) bool {
		if info.DataSources[name] == nil {
			info.IgnoreMappings = append(info.IgnoreMappings, name)
		}
		return true
	})
	for name := range info.P.Functions() {
		info.IgnoreMappings = append(info.IgnoreMappings, name)
	}
	sink := diag.DefaultSink(os.Stderr, os.Stderr, diag.FormatOptions{Color: colors.Never})
	schema, err := tfgen.GenerateSchema(info, sink)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(schema)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
