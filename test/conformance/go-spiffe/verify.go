package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"os"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

type presented struct {
	Chain  [][]byte `json:"chain"`
	Key    []byte   `json:"key"`
	Bundle [][]byte `json:"bundle"`
	Domain string   `json:"domain"`
}

type verdict struct {
	ID string `json:"id,omitempty"`
	// Parse is what go-spiffe has against it as an SVID of our own, Verify as that of a peer.
	Parse  string `json:"parse,omitempty"`
	Verify string `json:"verify,omitempty"`
	Chains int    `json:"chains"`
	Key    string `json:"key,omitempty"`
}

// verify gives one verdict for each value of stdin.
func verify() error {
	decoder := json.NewDecoder(os.Stdin)
	for decoder.More() {
		var one presented
		if err := decoder.Decode(&one); err != nil {
			return err
		}
		said, err := judge(one)
		if err != nil {
			return err
		}
		say(said)
	}
	return nil
}

func judge(one presented) (verdict, error) {
	domain, err := spiffeid.TrustDomainFromString(one.Domain)
	if err != nil {
		return verdict{}, err
	}
	bundle, err := x509bundle.ParseRaw(domain, bytes.Join(one.Bundle, nil))
	if err != nil {
		return verdict{}, err
	}
	var said verdict
	if _, err := x509svid.ParseRaw(bytes.Join(one.Chain, nil), one.Key); err != nil {
		said.Parse = err.Error()
	}
	id, chains, err := x509svid.ParseAndVerify(one.Chain, bundle)
	said.ID, said.Chains = id.String(), len(chains)
	if err != nil {
		said.Verify = err.Error()
	}
	if leaf, err := x509.ParseCertificate(one.Chain[0]); err == nil {
		said.Key = keyKind(leaf)
	}
	return said, nil
}
