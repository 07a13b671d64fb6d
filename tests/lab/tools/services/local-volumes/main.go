// Command local-volumes gives every PersistentVolumeClaim a folder of the one node it runs on.
//
// Its volumes are of the type local, so the kubelet measures how full they are; with hostPath, which
// kind's own provisioner uses, it does not.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v10/controller"
)

const provisionerName = "rancher.io/local-path"

// folders lie below root, which is the same path on the node and in this pod.
type folders struct{ root string }

func (f folders) Provision(_ context.Context, claim controller.ProvisionOptions) (
	*core.PersistentVolume, controller.ProvisioningState, error,
) {
	if claim.SelectedNode == nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("no node was chosen: volumeBindingMode must be WaitForFirstConsumer")
	}
	folder := filepath.Join(f.root, claim.PVC.Namespace+"_"+claim.PVC.Name+"_"+claim.PVName)
	if err := makeFolder(folder); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return volume(claim, folder), controller.ProvisioningFinished, nil
}

func (f folders) Delete(_ context.Context, volume *core.PersistentVolume) error {
	return os.RemoveAll(volume.Spec.Local.Path)
}

// makeFolder lets any user write, as pods run under different ones; Mkdir alone heeds the umask.
func makeFolder(path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	return os.Chmod(path, 0o777)
}

func volume(claim controller.ProvisionOptions, folder string) *core.PersistentVolume {
	mode := core.PersistentVolumeFilesystem
	onNode := core.NodeSelectorRequirement{
		Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{claim.SelectedNode.Labels[core.LabelHostname]},
	}
	return &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: claim.PVName},
		Spec: core.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *claim.StorageClass.ReclaimPolicy,
			AccessModes:                   claim.PVC.Spec.AccessModes,
			VolumeMode:                    &mode,
			Capacity:                      core.ResourceList{core.ResourceStorage: claim.PVC.Spec.Resources.Requests[core.ResourceStorage]},
			PersistentVolumeSource:        core.PersistentVolumeSource{Local: &core.LocalVolumeSource{Path: folder}},
			NodeAffinity: &core.VolumeNodeAffinity{Required: &core.NodeSelector{
				NodeSelectorTerms: []core.NodeSelectorTerm{{MatchExpressions: []core.NodeSelectorRequirement{onNode}}},
			}},
		},
	}
}

func main() {
	root := flag.String("root", "/var/local-path-provisioner", "folder on the node below which the volumes lie")
	flag.Parse()
	config, err := rest.InClusterConfig()
	if err != nil {
		klog.Fatalf("local-volumes runs in a pod only: %v", err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	ctx := context.Background()
	controller.NewProvisionController(
		klog.FromContext(ctx), client, provisionerName, folders{root: *root}, controller.LeaderElection(false),
	).Run(ctx)
}
