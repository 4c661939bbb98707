package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"
)

// decision is a policy's answer in its long form.
type decision struct {
	allowed bool
	status  int
	headers map[string]string
	body    string
}

// answerOf tells Envoy what a policy decided: a boolean, or an object with `allowed` and what else OPA-Envoy knows of these keys.
func answerOf(result any, id string) (*authv3.CheckResponse, error) {
	d := decision{status: http.StatusForbidden}
	var err error
	switch given := result.(type) {
	case bool:
		d.allowed = given
	case map[string]any:
		err = d.read(given)
	default:
		err = fmt.Errorf("the decision is of type %T: expected a boolean or an object", result)
	}
	if err != nil {
		return nil, err
	}
	return d.response(id), nil
}

func (d *decision) read(given map[string]any) error {
	var ok bool
	if d.allowed, ok = given["allowed"].(bool); !ok {
		return fmt.Errorf("allowed is of type %T: expected a boolean", given["allowed"])
	}
	if d.body, ok = given["body"].(string); !ok && given["body"] != nil {
		return fmt.Errorf("body is of type %T: expected a string", given["body"])
	}
	if number, ok := given["http_status"].(json.Number); ok {
		status, err := number.Int64()
		if err != nil || http.StatusText(int(status)) == "" {
			return fmt.Errorf("http_status is %s: expected a known status", number)
		}
		d.status = int(status)
	} else if given["http_status"] != nil {
		return fmt.Errorf("http_status is of type %T: expected a number", given["http_status"])
	}
	return d.readHeaders(given["headers"])
}

func (d *decision) readHeaders(given any) error {
	fields, ok := given.(map[string]any)
	if !ok && given != nil {
		return fmt.Errorf("headers is of type %T: expected an object", given)
	}
	d.headers = make(map[string]string, len(fields))
	for name, value := range fields {
		if d.headers[name], ok = value.(string); !ok {
			return fmt.Errorf("headers.%s is of type %T: expected a string", name, value)
		}
	}
	return nil
}

// response is a decision in Envoy's words: headers go on to the upstream with an allow, and to the caller with a refusal.
func (d *decision) response(id string) *authv3.CheckResponse {
	response := &authv3.CheckResponse{DynamicMetadata: identified(id)}
	if d.allowed {
		response.Status = &rpcstatus.Status{Code: int32(codes.OK)}
		response.HttpResponse = &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{Headers: d.fields()}}
		return response
	}
	response.Status = &rpcstatus.Status{Code: int32(codes.PermissionDenied)}
	response.HttpResponse = &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
		Status:  &typev3.HttpStatus{Code: typev3.StatusCode(d.status)},
		Headers: d.fields(),
		Body:    d.body,
	}}
	return response
}

func (d *decision) fields() []*corev3.HeaderValueOption {
	fields := make([]*corev3.HeaderValueOption, 0, len(d.headers))
	for name, value := range d.headers {
		fields = append(fields, &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: value}})
	}
	return fields
}

// unreadable refuses what no input could be made of.
func unreadable(id string) *authv3.CheckResponse {
	d := decision{status: http.StatusBadRequest}
	return d.response(id)
}

// identified is the metadata by which Envoy's access log can name a decision.
func identified(id string) *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{"decision_id": structpb.NewStringValue(id)}}
}
