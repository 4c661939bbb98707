{{/* Names, labels, addresses and identities: whatever several objects have to agree on. */}}

{{- define "sallyport.fullname" -}}
{{- $name := .Values.fullnameOverride | default (ternary .Release.Name (printf "%s-sallyport" .Release.Name) (contains "sallyport" .Release.Name)) -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "sallyport.injector" -}}{{ include "sallyport.fullname" . }}-injector{{- end -}}
{{- define "sallyport.authority" -}}{{ include "sallyport.fullname" . }}-authority{{- end -}}
{{- define "sallyport.trust" -}}{{ include "sallyport.fullname" . }}-trust{{- end -}}
{{- define "sallyport.platform" -}}{{ include "sallyport.fullname" . }}-platform-policy{{- end -}}

{{/* Objects of the cluster are told apart by the namespace too where it is not the usual one. */}}
{{- define "sallyport.clusterName" -}}
{{- $name := include "sallyport.fullname" . -}}
{{- ternary $name (printf "%s-%s" $name .Release.Namespace) (eq .Release.Namespace "sallyport-system") -}}
{{- end -}}

{{- define "sallyport.selector" -}}
app.kubernetes.io/name: sallyport
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "sallyport.labels" -}}
{{- $own := include "sallyport.selector" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- mergeOverwrite (deepCopy .root.Values.commonLabels) $own | toYaml -}}
{{- end -}}

{{- define "sallyport.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sallyport.sidecarImage" -}}{{ .Values.sidecar.image | default (include "sallyport.image" .) }}{{- end -}}

{{- define "sallyport.injectorId" -}}
spiffe://{{ .Values.trustDomain }}/ns/{{ .Release.Namespace }}/sa/{{ include "sallyport.injector" . }}
{{- end -}}

{{- define "sallyport.byAuthority" -}}{{ if eq .Values.sidecar.identity.source "authority" }}true{{ end }}{{- end -}}
{{- define "sallyport.byNamespace" -}}{{ if eq .Values.policies.source "namespace" }}true{{ end }}{{- end -}}

{{/* The authority as sidecars know it, as YAML: that of the chart, or the one that is said. */}}
{{- define "sallyport.knownAuthority" -}}
{{- $own := dict -}}
{{- if .Values.authority.enabled -}}
{{- $id := .Values.authority.config.id | default (printf "spiffe://%s/sallyport/authority" .Values.trustDomain) -}}
{{- $url := printf "https://%s.%s.svc:8444" (include "sallyport.authority" .) .Release.Namespace -}}
{{- $own = dict "url" $url "id" $id "audience" .Values.authority.config.kubernetes.audience -}}
{{- end -}}
{{- mergeOverwrite $own (deepCopy (.Values.sidecar.identity.authority | default dict)) | toYaml -}}
{{- end -}}

{{/* Selects the namespaces that are injected. */}}
{{- define "sallyport.namespaceSelector" -}}
matchExpressions:
  - { key: sallyport.dev/inject, operator: In, values: [enabled] }
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values: {{ append .Values.webhook.excludeNamespaces .Release.Namespace | uniq | toJson }}
{{- end -}}

{{/* The one who may say that a pod goes without. */}}
{{- define "sallyport.optOut" -}}{{ if has "opt-out" .Values.sidecar.overrides }}true{{ end }}{{- end -}}
