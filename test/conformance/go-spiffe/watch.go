package main

import (
	"context"
	"crypto/x509"
	"fmt"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

type shownSVID struct {
	ID        string `json:"id"`
	Hint      string `json:"hint"`
	Serial    string `json:"serial"`
	Key       string `json:"key"`
	Verifies  bool   `json:"verifies"`
	NotAfter  int64  `json:"notAfter"`
	ChainSize int    `json:"chain"`
}

type shown struct {
	Kind    string         `json:"kind"`
	SVIDs   []shownSVID    `json:"svids,omitempty"`
	Bundles map[string]int `json:"bundles,omitempty"`
	Error   string         `json:"error,omitempty"`
}

type watcher struct{}

// watch follows both streams; go-spiffe parses and checks what it takes before these functions hear of it.
func watch(ctx context.Context, socket string) error {
	client, err := workloadapi.New(ctx, workloadapi.WithAddr(socket))
	if err != nil {
		return err
	}
	defer client.Close()
	failed := make(chan error, 2)
	go func() { failed <- client.WatchX509Context(ctx, watcher{}) }()
	go func() { failed <- client.WatchX509Bundles(ctx, watcher{}) }()
	err = <-failed
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (watcher) OnX509ContextUpdate(update *workloadapi.X509Context) {
	svids := []shownSVID{}
	for _, svid := range update.SVIDs {
		svids = append(svids, describe(svid, update.Bundles))
	}
	say(shown{Kind: "svids", SVIDs: svids, Bundles: sizes(update.Bundles)})
}

func (watcher) OnX509ContextWatchError(err error) {
	say(shown{Kind: "svids-error", Error: err.Error()})
}

func (watcher) OnX509BundlesUpdate(set *x509bundle.Set) {
	say(shown{Kind: "bundles", Bundles: sizes(set)})
}

func (watcher) OnX509BundlesWatchError(err error) {
	say(shown{Kind: "bundles-error", Error: err.Error()})
}

func describe(svid *x509svid.SVID, bundles x509bundle.Source) shownSVID {
	leaf := svid.Certificates[0]
	_, _, err := x509svid.Verify(svid.Certificates, bundles)
	return shownSVID{
		ID:        svid.ID.String(),
		Hint:      svid.Hint,
		Serial:    fmt.Sprintf("%x", leaf.SerialNumber),
		Key:       keyKind(leaf),
		Verifies:  err == nil,
		NotAfter:  leaf.NotAfter.UnixMilli(),
		ChainSize: len(svid.Certificates),
	}
}

func keyKind(certificate *x509.Certificate) string { return certificate.PublicKeyAlgorithm.String() }

func sizes(set *x509bundle.Set) map[string]int {
	all := map[string]int{}
	for _, bundle := range set.Bundles() {
		all[bundle.TrustDomain().Name()] = len(bundle.X509Authorities())
	}
	return all
}
