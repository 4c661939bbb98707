package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

type answered struct {
	Path     string `json:"path"`
	Status   int    `json:"status"`
	Protocol string `json:"protocol,omitempty"`
	Body     string `json:"body"`
	Peer     string `json:"peer"`
	Error    string `json:"error,omitempty"`
}

func source(ctx context.Context, socket string) (*workloadapi.X509Source, error) {
	bounded, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return workloadapi.NewX509Source(bounded, workloadapi.WithClientOptions(workloadapi.WithAddr(socket)))
}

// get calls a server that must have the ID, as HTTP/2 where it can.
func get(ctx context.Context, socket, server, address string, paths []string) error {
	id, err := spiffeid.FromString(server)
	if err != nil {
		return err
	}
	svids, err := source(ctx, socket)
	if err != nil {
		return err
	}
	defer svids.Close()
	for _, path := range paths {
		config := tlsconfig.MTLSClientConfig(svids, svids, tlsconfig.AuthorizeID(id))
		say(getOnce(config, "https://"+address+path, path))
	}
	return nil
}

func getOnce(config *tls.Config, url, path string) answered {
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 20 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return answered{Path: path, Error: err.Error()}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return answered{Path: path, Error: err.Error()}
	}
	return answered{path, response.StatusCode, response.Proto, string(body), peerOf(response.TLS), ""}
}

// serve answers clients that must have the ID, HTTP/1.1 and HTTP/2.
func serve(ctx context.Context, socket, client string) error {
	id, err := spiffeid.FromString(client)
	if err != nil {
		return err
	}
	svids, err := source(ctx, socket)
	if err != nil {
		return err
	}
	defer svids.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	say(map[string]string{"address": listener.Addr().String()})
	server := &http.Server{
		TLSConfig: tlsconfig.MTLSServerConfig(svids, svids, tlsconfig.AuthorizeID(id)),
		Handler: http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
			peer := peerOf(request.TLS)
			say(answered{request.URL.Path, 200, request.Proto, "", peer, ""})
			_, _ = io.WriteString(response, "hello "+peer)
		}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ServeTLS(listener, "", ""); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func peerOf(state *tls.ConnectionState) string {
	if state == nil || len(state.PeerCertificates) == 0 {
		return ""
	}
	id, err := x509svid.IDFromCert(state.PeerCertificates[0])
	if err != nil {
		return err.Error()
	}
	return id.String()
}
