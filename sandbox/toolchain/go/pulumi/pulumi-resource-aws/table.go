package main

import (
	"context"
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// types maps the resources that the program declares from Terraform's name to Pulumi's module and type.
var types = map[string]string{
	"aws_acm_certificate":               "acm/Certificate",
	"aws_acm_certificate_validation":    "acm/CertificateValidation",
	"aws_cloudwatch_log_group":          "cloudwatch/LogGroup",
	"aws_cloudwatch_metric_alarm":       "cloudwatch/MetricAlarm",
	"aws_ecr_lifecycle_policy":          "ecr/LifecyclePolicy",
	"aws_ecr_repository":                "ecr/Repository",
	"aws_eip":                           "ec2/Eip",
	"aws_eks_access_entry":              "eks/AccessEntry",
	"aws_eks_access_policy_association": "eks/AccessPolicyAssociation",
	"aws_eks_addon":                     "eks/Addon",
	"aws_eks_cluster":                   "eks/Cluster",
	"aws_eks_node_group":                "eks/NodeGroup",
	"aws_iam_role":                      "iam/Role",
	"aws_iam_role_policy_attachment":    "iam/RolePolicyAttachment",
	"aws_internet_gateway":              "ec2/InternetGateway",
	"aws_kms_alias":                     "kms/Alias",
	"aws_kms_key":                       "kms/Key",
	"aws_launch_template":               "ec2/LaunchTemplate",
	"aws_nat_gateway":                   "ec2/NatGateway",
	"aws_route":                         "ec2/Route",
	"aws_route53_health_check":          "route53/HealthCheck",
	"aws_route53_record":                "route53/Record",
	"aws_route53_zone":                  "route53/Zone",
	"aws_route_table":                   "ec2/RouteTable",
	"aws_route_table_association":       "ec2/RouteTableAssociation",
	"aws_s3_bucket":                     "s3/Bucket",
	"aws_s3_bucket_ownership_controls":  "s3/BucketOwnershipControls",
	"aws_s3_bucket_policy":              "s3/BucketPolicy",
	"aws_s3_bucket_public_access_block": "s3/BucketPublicAccessBlock",
	"aws_s3_bucket_server_side_encryption_configuration": "s3/BucketServerSideEncryptionConfiguration",
	"aws_s3_bucket_versioning":                           "s3/BucketVersioning",
	"aws_sns_topic":                                      "sns/Topic",
	"aws_subnet":                                         "ec2/Subnet",
	"aws_vpc":                                            "ec2/Vpc",
}

// functions are the data sources that the program reads.
var functions = map[string]*tfbridge.DataSourceInfo{
	"aws_caller_identity":         {Tok: "aws:index/getCallerIdentity:getCallerIdentity"},
	"aws_ecr_authorization_token": {Tok: "aws:ecr/getAuthorizationToken:getAuthorizationToken"},
	"aws_ecr_images":              {Tok: "aws:ecr/getImages:getImages"},
	"aws_elb_hosted_zone_id":      {Tok: "aws:elb/getHostedZoneId:getHostedZoneId"},
	"aws_lb_hosted_zone_id":       {Tok: "aws:lb/getHostedZoneId:getHostedZoneId"},
	"aws_route53_zone":            {Tok: "aws:route53/getZone:getZone"},
}

// config lists the provider's own inputs that differ in Pulumi.
var config = map[string]*tfbridge.SchemaInfo{
	"skip_metadata_api_check": {Type: "boolean"}, // Terraform's is a string, so that it can be left unset
}

func resources() map[string]*tfbridge.ResourceInfo {
	table := map[string]*tfbridge.ResourceInfo{}
	for name, place := range types {
		module, typ, _ := strings.Cut(place, "/")
		file := strings.ToLower(typ[:1]) + typ[1:]
		table[name] = &tfbridge.ResourceInfo{Tok: tokens.Type("aws:" + module + "/" + file + ":" + typ)}
	}
	return table
}

// adjust repeats the changes that pulumi-aws makes by hand to the types of the table.
func adjust(table map[string]*tfbridge.ResourceInfo, taggable func(name string) bool) {
	field := func(resource, name string, info tfbridge.SchemaInfo) {
		if table[resource].Fields == nil {
			table[resource].Fields = map[string]*tfbridge.SchemaInfo{}
		}
		table[resource].Fields[name] = &info
	}
	field("aws_cloudwatch_metric_alarm", "alarm_name", *tfbridge.AutoName("name", 255, "-"))
	field("aws_ecr_repository", "name", *tfbridge.AutoNameTransform("name", 255, strings.ToLower))
	field("aws_eks_node_group", "node_group_name", *tfbridge.AutoName("nodeGroupName", 255, "-"))
	field("aws_iam_role", "name", *tfbridge.AutoName("name", 64, "-"))
	field("aws_route53_record", "name", tfbridge.SchemaInfo{Name: "name"}) // Pulumi never generates it
	field("aws_route53_zone", "comment", tfbridge.SchemaInfo{Default: &tfbridge.DefaultInfo{Value: "Managed by Pulumi"}})
	field("aws_s3_bucket", "bucket", *tfbridge.AutoNameTransform("bucket", 63, strings.ToLower))
	field("aws_eks_cluster", "certificate_authority", tfbridge.SchemaInfo{Name: "certificateAuthority", MaxItemsOne: tfbridge.True()})
	for _, each := range []string{"alias", "failover_routing_policy", "geolocation_routing_policy", "latency_routing_policy", "weighted_routing_policy"} {
		field("aws_route53_record", each, tfbridge.SchemaInfo{MaxItemsOne: tfbridge.False()})
	}
	for name := range table {
		if taggable(name) {
			table[name].PreCheckCallback = withDefaultTags
			field(name, "tags_all", tfbridge.SchemaInfo{MarkAsComputedOnly: tfbridge.True()})
		}
	}
}

// withDefaultTags computes tagsAll before the call, so that a changed default tag updates every resource. Terraform
// handles tags that are still unknown; it predicts nothing for them.
func withDefaultTags(_ context.Context, inputs, config resource.PropertyMap) (resource.PropertyMap, error) {
	own := plain(inputs["tags"])
	if own.ContainsUnknowns() {
		return inputs, nil
	}
	all := resource.PropertyMap{}
	if defaults := plain(config["defaultTags"]); defaults.IsObject() {
		merge(all, plain(defaults.ObjectValue()["tags"]))
	}
	merge(all, own)
	if len(all) > 0 {
		inputs["tagsAll"] = resource.NewProperty(all)
	}
	return inputs, nil
}

func merge(into resource.PropertyMap, tags resource.PropertyValue) {
	if tags.IsObject() {
		for key, value := range tags.ObjectValue() {
			into[key] = value
		}
	}
}

// plain returns the value without the engine's wrappers for secrets and outputs.
func plain(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return plain(value.SecretValue().Element)
	case value.IsOutput() && value.OutputValue().Known:
		return plain(value.OutputValue().Element)
	}
	return value
}
