package kubernetes

import (
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func unencryptedStorage() check {
	r := rule.Rule{
		ID: "kubernetes-unencrypted-storage", Title: "A StorageClass makes volumes that are not encrypted",
		Severity:   core.SeverityMedium,
		Why:        "Whoever gets at the disk or a snapshot of it reads what is on it.",
		Fix:        "Set the parameter encrypted to true (with kmsKeyId for a key of your own).",
		References: []string{"NIST SP 800-190 4.4", "https://kubernetes.io/docs/concepts/storage/storage-classes/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, o := range f.objects {
			provisioner := o.Node.Get("provisioner")
			if !o.is("storage.k8s.io", "StorageClass") ||
				!slices.Contains([]string{"ebs.csi.aws.com", "kubernetes.io/aws-ebs", "driver.longhorn.io"}, provisioner.Text()) {
				continue // the others encrypt always, or cannot be told to
			}
			if parameters := o.Node.Get("parameters"); !parameters.Get("encrypted").Is("true") {
				report(o.hit(provisioner, provisioner.Text()))
			}
		}
	}}
}
