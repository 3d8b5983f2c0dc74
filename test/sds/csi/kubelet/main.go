// The calls of a kubelet to a CSI driver, by the standard's own generated code: one JSON object a line on standard input, one answer a line
// on standard output.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

type call struct {
	Method  string          `json:"method"`
	Request json.RawMessage `json:"request"`
}

type answer struct {
	Code     string          `json:"code"`
	Reason   string          `json:"reason"`
	Response json.RawMessage `json:"response,omitempty"`
}

var requests = map[string]func() (proto.Message, proto.Message){
	csi.Identity_GetPluginInfo_FullMethodName: func() (proto.Message, proto.Message) {
		return &csi.GetPluginInfoRequest{}, &csi.GetPluginInfoResponse{}
	},
	csi.Identity_GetPluginCapabilities_FullMethodName: func() (proto.Message, proto.Message) {
		return &csi.GetPluginCapabilitiesRequest{}, &csi.GetPluginCapabilitiesResponse{}
	},
	csi.Identity_Probe_FullMethodName: func() (proto.Message, proto.Message) { return &csi.ProbeRequest{}, &csi.ProbeResponse{} },
	csi.Node_NodeGetInfo_FullMethodName: func() (proto.Message, proto.Message) {
		return &csi.NodeGetInfoRequest{}, &csi.NodeGetInfoResponse{}
	},
	csi.Node_NodeGetCapabilities_FullMethodName: func() (proto.Message, proto.Message) {
		return &csi.NodeGetCapabilitiesRequest{}, &csi.NodeGetCapabilitiesResponse{}
	},
	csi.Node_NodeGetVolumeStats_FullMethodName: func() (proto.Message, proto.Message) {
		return &csi.NodeGetVolumeStatsRequest{}, &csi.NodeGetVolumeStatsResponse{}
	},
	csi.Node_NodePublishVolume_FullMethodName: func() (proto.Message, proto.Message) {
		return &csi.NodePublishVolumeRequest{}, &csi.NodePublishVolumeResponse{}
	},
	csi.Node_NodeUnpublishVolume_FullMethodName: func() (proto.Message, proto.Message) {
		return &csi.NodeUnpublishVolumeRequest{}, &csi.NodeUnpublishVolumeResponse{}
	},
	"/pluginregistration.Registration/GetInfo": func() (proto.Message, proto.Message) {
		return &registration.InfoRequest{}, &registration.PluginInfo{}
	},
	"/pluginregistration.Registration/NotifyRegistrationStatus": func() (proto.Message, proto.Message) {
		return &registration.RegistrationStatus{}, &registration.RegistrationStatusResponse{}
	},
}

func main() {
	connection, err := grpc.NewClient("unix://"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, err := json.Marshal(one(connection, lines.Bytes()))
		if err != nil {
			panic(err)
		}
		fmt.Println(string(text))
	}
}

func one(connection *grpc.ClientConn, line []byte) answer {
	var asked call
	if err := json.Unmarshal(line, &asked); err != nil {
		panic(err)
	}
	known, found := requests[asked.Method]
	if !found {
		panic("no method " + asked.Method)
	}
	request, response := known()
	if err := protojson.Unmarshal(asked.Request, request); err != nil {
		panic(err)
	}
	limit, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := connection.Invoke(limit, asked.Method, request, response, grpc.WaitForReady(true)); err != nil {
		return answer{Code: status.Code(err).String(), Reason: status.Convert(err).Message()}
	}
	text, err := protojson.Marshal(response)
	if err != nil {
		panic(err)
	}
	return answer{Code: "OK", Response: text}
}
