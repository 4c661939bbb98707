package main

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/open-policy-agent/opa/v1/util"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// inputOf makes the document that policies for OPA-Envoy see as `input`.
func inputOf(request *authv3.CheckRequest) (map[string]any, error) {
	http := request.GetAttributes().GetRequest().GetHttp()
	path, query, err := splitPath(http.GetPath())
	if err != nil {
		return nil, err
	}
	body, truncated, err := bodyOf(http)
	if err != nil {
		return nil, err
	}
	input := map[string]any{
		"attributes":     objectOf(request.GetAttributes().ProtoReflect()),
		"parsed_path":    path,
		"parsed_query":   query,
		"parsed_body":    body,
		"truncated_body": truncated,
		"version":        map[string]any{"ext_authz": "v3", "encoding": "protojson"},
	}
	if principal := request.GetAttributes().GetSource().GetPrincipal(); principal != "" {
		input["source_principal"] = principal
	}
	return input, nil
}

// splitPath decodes the path once, and splits it after that; the query is an object of arrays.
func splitPath(raw string) ([]any, map[string]any, error) {
	before, after, _ := strings.Cut(raw, "?")
	decoded, err := url.PathUnescape(before)
	if err != nil {
		return nil, nil, err
	}
	values, err := url.ParseQuery(after)
	if err != nil {
		return nil, nil, err
	}
	segments := strings.Split(strings.TrimLeft(decoded, "/"), "/")
	path := make([]any, len(segments))
	for i, segment := range segments {
		path[i] = segment
	}
	return path, listsOf(values), nil
}

// bodyOf reads a body by its content type; null where there is none, where it is of another type, and where a part of it is missing.
func bodyOf(http *authv3.AttributeContext_HttpRequest) (body any, truncated bool, err error) {
	content := http.GetBody()
	if content == "" {
		content = string(http.GetRawBody())
	}
	if content == "" {
		return nil, false, nil
	}
	headers := http.GetHeaders()
	length, err := strconv.Atoi(headers["content-length"])
	if headers["x-envoy-auth-partial-body"] == "true" || err == nil && length > len(content) {
		return nil, true, nil
	}
	switch kind := headers["content-type"]; {
	case strings.Contains(kind, "application/json"):
		err = util.UnmarshalJSON([]byte(content), &body)
		return body, false, err
	case strings.Contains(kind, "application/x-www-form-urlencoded"):
		values, err := url.ParseQuery(content)
		return listsOf(values), false, err
	default:
		return nil, false, nil
	}
}

func listsOf(values url.Values) map[string]any {
	lists := make(map[string]any, len(values))
	for name, each := range values {
		list := make([]any, len(each))
		for i, value := range each {
			list[i] = value
		}
		lists[name] = list
	}
	return lists
}

// objectOf holds what is set in a message, by the names that protojson gives.
func objectOf(message protoreflect.Message) map[string]any {
	object := make(map[string]any, message.Descriptor().Fields().Len())
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		object[field.JSONName()] = fieldOf(field, value)
		return true
	})
	return object
}

func fieldOf(field protoreflect.FieldDescriptor, value protoreflect.Value) any {
	switch {
	case field.IsMap():
		object := make(map[string]any, value.Map().Len())
		value.Map().Range(func(key protoreflect.MapKey, each protoreflect.Value) bool {
			object[key.String()] = singleOf(field.MapValue(), each)
			return true
		})
		return object
	case field.IsList():
		list := make([]any, value.List().Len())
		for i := range list {
			list[i] = singleOf(field, value.List().Get(i))
		}
		return list
	default:
		return singleOf(field, value)
	}
}

// singleOf gives numbers as the types of which OPA makes terms without a round trip through JSON.
func singleOf(field protoreflect.FieldDescriptor, value protoreflect.Value) any {
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return objectOf(value.Message())
	case protoreflect.EnumKind:
		return string(field.Enum().Values().ByNumber(value.Enum()).Name())
	case protoreflect.BytesKind:
		return base64.StdEncoding.EncodeToString(value.Bytes())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return value.Int()
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return value.Uint()
	default:
		return value.Interface()
	}
}
