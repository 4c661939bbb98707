package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type state struct {
	SVIDs []struct {
		ID, Hint          string
		SVID, Key, Bundle []byte
	}
	CRL       [][]byte
	Federated map[string][]byte
}

// workloadAgent is a Workload API that another hand has written: grpc-go and go-spiffe's generated types.
type workloadAgent struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	states <-chan state
}

// agent serves one caller: the next state of the file at each line of stdin, the first one at once.
func agent(file, socket string) error {
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	states := make(chan state)
	server := grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(server, &workloadAgent{states: states})
	go func() {
		defer server.Stop()
		lines := bufio.NewScanner(os.Stdin)
		for decoder := json.NewDecoder(content); decoder.More(); {
			var next state
			if decoder.Decode(&next) != nil {
				return
			}
			states <- next
			if !lines.Scan() {
				return
			}
		}
		for lines.Scan() {
		}
	}()
	say(map[string]string{"address": socket})
	return server.Serve(listener)
}

func (agent *workloadAgent) FetchX509SVID(_ *workload.X509SVIDRequest, stream workload.SpiffeWorkloadAPI_FetchX509SVIDServer) error {
	fields, _ := metadata.FromIncomingContext(stream.Context())
	if value := fields.Get("workload.spiffe.io"); len(value) != 1 || value[0] != "true" {
		return status.Error(codes.InvalidArgument, "security header missing from request")
	}
	for {
		select {
		case <-stream.Context().Done():
			return nil
		case next := <-agent.states:
			response := &workload.X509SVIDResponse{Crl: next.CRL, FederatedBundles: next.Federated}
			for _, svid := range next.SVIDs {
				response.Svids = append(response.Svids, &workload.X509SVID{
					SpiffeId: svid.ID, X509Svid: svid.SVID, X509SvidKey: svid.Key, Bundle: svid.Bundle, Hint: svid.Hint,
				})
			}
			if err := stream.Send(response); err != nil {
				return err
			}
		}
	}
}
