package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/util"
	"google.golang.org/grpc"
)

// pluginName is the key of our configuration below `plugins`, the one that OPA-Envoy has.
const pluginName = "envoy_ext_authz_grpc"

const unixScheme = "unix://"

// config is what OPA-Envoy calls so: where to listen, and the rule to ask.
type config struct {
	Addr string `json:"addr"`
	Path string `json:"path"`
}

type factory struct{}

// Validate reads the configuration; only unix sockets are listened on.
func (factory) Validate(_ *plugins.Manager, raw []byte) (any, error) {
	var parsed config
	if err := util.Unmarshal(raw, &parsed); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(parsed.Addr, unixScheme) {
		return nil, fmt.Errorf("plugins.%s.addr is %q: expected unix:///path", pluginName, parsed.Addr)
	}
	if parsed.Path == "" {
		return nil, fmt.Errorf("plugins.%s.path is missing: expected a rule, for example envoy/authz/allow", pluginName)
	}
	return parsed, nil
}

func (factory) New(manager *plugins.Manager, parsed any) plugins.Plugin {
	manager.UpdatePluginStatus(pluginName, &plugins.Status{State: plugins.StateNotReady})
	return &plugin{manager: manager, config: parsed.(config)}
}

// plugin is the ext_authz server as a part of OPA.
type plugin struct {
	manager *plugins.Manager
	config  config
	server  *grpc.Server
}

// Start listens, and answers from then on.
func (p *plugin) Start(context.Context) error {
	path := strings.TrimPrefix(p.config.Addr, unixScheme)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	p.server = grpc.NewServer()
	authv3.RegisterAuthorizationServer(p.server, &authorizer{manager: p.manager, rule: newRule(p.manager, p.config.Path)})
	go func() {
		if err := p.server.Serve(listener); err != nil {
			p.manager.Logger().Error("ext_authz server ended: %v", err)
		}
	}()
	p.manager.UpdatePluginStatus(pluginName, &plugins.Status{State: plugins.StateOK})
	return nil
}

func (p *plugin) Stop(context.Context) {
	p.server.Stop()
	p.manager.UpdatePluginStatus(pluginName, &plugins.Status{State: plugins.StateNotReady})
}

// Reconfigure does nothing: the bench starts a process for each arrangement.
func (*plugin) Reconfigure(context.Context, any) {}
