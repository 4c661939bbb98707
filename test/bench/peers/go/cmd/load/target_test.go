package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sallyport/bench-peers/internal/job"
)

// target is a TLS server that wants a client certificate, and the files that a job names.
type target struct {
	folder string
	server *httptest.Server
	pool   *x509.CertPool
}

// newTarget makes its keys now: none is kept.
func newTarget(t *testing.T, handler http.HandlerFunc, change func(*tls.Config)) *target {
	t.Helper()
	made := &target{folder: t.TempDir(), pool: x509.NewCertPool()}
	identity := made.writeIdentity(t)
	made.server = httptest.NewUnstartedServer(handler)
	made.server.EnableHTTP2 = true
	made.server.TLS = &tls.Config{Certificates: []tls.Certificate{identity}, ClientCAs: made.pool, ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{"h2", "http/1.1"}}
	if change != nil {
		change(made.server.TLS)
	}
	made.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	made.server.StartTLS()
	t.Cleanup(made.server.Close)
	return made
}

// writeIdentity makes one self-signed certificate that is server, client and authority.
func (made *target) writeIdentity(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, private := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	for name, content := range map[string][]byte{"cert.pem": certificate, "key.pem": private} {
		if err := os.WriteFile(filepath.Join(made.folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	made.pool.AppendCertsFromPEM(certificate)
	identity, err := tls.X509KeyPair(certificate, private)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// load runs a job on the target: a short one unless it says otherwise.
func (made *target) load(t *testing.T, one job.Job) *result {
	t.Helper()
	told, err := made.try(one)
	if err != nil {
		t.Fatal(err)
	}
	return told
}

func (made *target) try(one job.Job) (*result, error) {
	file := func(name string) string { return filepath.Join(made.folder, name) }
	one.Address, one.ServerName = made.server.Listener.Addr().(*net.TCPAddr).String(), "localhost"
	one.CA, one.Cert, one.Key = file("cert.pem"), file("cert.pem"), file("key.pem")
	one.Connections, one.Streams, one.MessagesPerStream = max(one.Connections, 1), max(one.Streams, 1), max(one.MessagesPerStream, 10)
	if one.Seconds == 0 {
		one.Seconds = 0.2
	}
	for index := range one.Requests {
		request := &one.Requests[index]
		request.Weight, request.ExpectStatus = max(request.Weight, 1), max(request.ExpectStatus, 200)
		if one.IsGrpc() {
			request.Method, request.Body = "POST", []byte("message")
		} else if request.Method == "" {
			request.Method = "GET"
		}
	}
	world, err := newWorld(&one)
	if err != nil {
		return nil, err
	}
	return measure(world)
}

func asking(paths ...string) []job.Request {
	requests := make([]job.Request, len(paths))
	for index, path := range paths {
		requests[index].Path = path
	}
	return requests
}
