// Command pulumi-resource-aws runs terraform-provider-aws under Pulumi's bridge, like Pulumi's official AWS plugin.
//
// No package registry has the official plugin, but both of its parts are published as Go modules. Only the table
// (table.go) is our own: Pulumi's name for each of Terraform's types, and the differences beyond spelling.
//
// With -schema it prints the package schema of the table. A test compares it with Pulumi's SDK.
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

// version is the version of the official plugin with the same Terraform provider. The build sets it.
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

// provider joins the two parts of terraform-provider-aws, one on Terraform's older SDK and one on its framework.
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
		// The older SDK checks the same inputs. The framework describes all endpoints again for each endpoint, which
		// takes 3 s at every start.
		SkipValidateProviderConfigForPluginFramework: true,
	}
	adjust(info.Resources, func(name string) bool {
		_, has := info.P.ResourcesMap().Get(name).Schema().GetOk("tags_all")
		return has
	})
	info.SetAutonaming(255, "-")
	// Which part serves a type: for the official plugin, tfgen computes this at release time.
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
