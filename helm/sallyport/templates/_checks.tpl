{{/* What no single value shows, and no schema: said before anything is installed. */}}
{{- define "sallyport.checks" -}}
{{- $authority := include "sallyport.knownAuthority" . | fromYaml -}}
{{- if include "sallyport.byAuthority" . -}}
  {{- if not .Values.authority.enabled -}}
    {{- if not (and $authority.url $authority.id .Values.trust.roots) -}}
      {{- fail "authority.enabled is false: say where sidecars get their identity from (sidecar.identity.authority.url and id, trust.roots), or sidecar.identity.source: workload-api" -}}
    {{- end -}}
  {{- else if .Values.trust.roots -}}
    {{- fail "trust.roots is for an authority elsewhere (authority.enabled: false): the chart's own publishes its roots" -}}
  {{- end -}}
{{- end -}}
{{- if and (not (include "sallyport.byNamespace" .)) (not .Values.policies.bundle.url) -}}
  {{- fail "policies.source is bundle: say policies.bundle.url, https://… or oci://…" -}}
{{- end -}}
{{- with .Values.certificates -}}
  {{- if and (eq .source "secret") (not (and .secret.name .secret.caBundle)) -}}
    {{- fail "certificates.source is secret: say certificates.secret.name and certificates.secret.caBundle" -}}
  {{- end -}}
{{- end -}}
{{- with .Values.authority.keys -}}
  {{- if and (or .rootKey .issuingKey .passphrase) (not .existingSecret) -}}
    {{- fail "authority.keys: rootKey, issuingKey and passphrase name keys of a Secret; say authority.keys.existingSecret" -}}
  {{- end -}}
{{- end -}}
{{- range $key := list "trustDomain" "policy" -}}
  {{- if hasKey $.Values.sidecar $key -}}
    {{- fail (printf "sidecar.%s follows from other values: trustDomain, policies" $key) -}}
  {{- end -}}
{{- end -}}
{{- if and .Values.monitoring.podMonitor.enabled (not .Values.sidecar.metrics) -}}
  {{- fail "monitoring.podMonitor scrapes sidecars from outside of their pods: that needs sidecar.metrics: true" -}}
{{- end -}}
{{- if and (eq .Values.sidecar.capture "plain") (eq .Values.sidecar.outbound.capture "all") -}}
  {{- fail "sidecar.outbound.capture: all needs sidecar.capture: redirect; with plain the agent calls the sidecar by itself" -}}
{{- end -}}
{{- if and (eq .Values.sidecar.capture "redirect") .Values.networkPolicy.namespaces -}}
  {{- fail "networkPolicy.namespaces is for sidecar.capture: plain: with redirect calls come to the agent's own port, which that NetworkPolicy closes, and the pod itself closes the rest" -}}
{{- end -}}
{{- end -}}
