// A Kubernetes API for tests in one program: etcd, kube-apiserver and the few controllers without which objects do not behave as
// in a cluster. No kubelet, no scheduler: Pods are objects whose status a test writes. `kube-api-server kubectl ...` is kubectl.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "kubectl" {
		os.Args = os.Args[1:]
		if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
			util.CheckErr(err)
		}
		return
	}
	serve()
}
