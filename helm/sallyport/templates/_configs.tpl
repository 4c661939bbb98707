{{/* The configuration files of the three programs. Each is judged by its own schema when the program starts; tests of the chart load them too. */}}

{{- define "sallyport.injectorConfig" -}}
{{- $webhook := mergeOverwrite (dict "listen" "0.0.0.0:8443" "path" "/inject") (deepCopy (.Values.injector.config.webhook | default dict)) -}}
{{- $_ := set $webhook "certificate" (include "sallyport.servingCertificate" . | fromYaml) -}}
{{- $config := dict "namespace" .Release.Namespace "webhook" $webhook "health" (dict "listen" "0.0.0.0:8080") -}}
{{- if include "sallyport.byAuthority" . -}}
{{- $_ := set $config "trust" (dict "roots" "/etc/sallyport/trust/roots.pem") -}}
{{- end -}}
{{- if include "sallyport.byNamespace" . -}}
{{- $service := pick .Values.policies "library" "configMap" "candidateConfigMap" "serviceAccounts" -}}
{{- $_ := set $config "policyService" (mergeOverwrite (dict "listen" "127.0.0.1:8446" "platform" "/etc/sallyport/platform") $service) -}}
{{- end -}}
{{- $_ := set $config "sidecar" (include "sallyport.sidecarSection" . | fromYaml) -}}
{{- mergeOverwrite $config (pick (deepCopy .Values.injector.config) "log" "shutdown") | toYaml -}}
{{- end -}}

{{- define "sallyport.servingCertificate" -}}
{{- if eq .Values.certificates.source "self" -}}
{{- $self := dict "secret" (printf "%s-tls" (include "sallyport.injector" .)) "configuration" (include "sallyport.clusterName" .) "service" (include "sallyport.injector" .) -}}
{{- dict "source" "self" "self" (mergeOverwrite $self (deepCopy .Values.certificates.self)) | toYaml -}}
{{- else -}}
{{- dict "source" "files" "files" (dict "certificate" "/etc/sallyport/tls/tls.crt" "privateKey" "/etc/sallyport/tls/tls.key") | toYaml -}}
{{- end -}}
{{- end -}}

{{- define "sallyport.sidecarSection" -}}
{{- $section := dict "trustDomain" .Values.trustDomain "image" (include "sallyport.sidecarImage" .) "imagePullPolicy" .Values.image.pullPolicy -}}
{{- $section := mergeOverwrite $section (deepCopy .Values.sidecar) -}}
{{- if include "sallyport.byAuthority" . -}}
{{- $_ := set $section "identity" (dict "source" "authority" "authority" (include "sallyport.knownAuthority" . | fromYaml)) -}}
{{- else -}}
{{- $_ := set $section "identity" (pick $section.identity "source" "workloadApi") -}}
{{- end -}}
{{- if include "sallyport.byNamespace" . -}}
{{- $namespace := dict "url" (printf "https://%s.%s.svc:8445" (include "sallyport.injector" .) .Release.Namespace) "id" (include "sallyport.injectorId" .) -}}
{{- $_ := set $section "policy" (dict "source" "namespace" "namespace" $namespace) -}}
{{- else -}}
{{- $_ := set $section "policy" (dict "source" "bundle" "bundle" .Values.policies.bundle) -}}
{{- end -}}
{{- toYaml $section -}}
{{- end -}}

{{/* The sidecar in front of the policy service. */}}
{{- define "sallyport.frontConfig" -}}
identity:
  {{- if include "sallyport.byAuthority" . }}
  {{- $authority := include "sallyport.knownAuthority" . | fromYaml }}
  source: authority
  authority:
    url: {{ $authority.url | quote }}
    id: {{ $authority.id | quote }}
    trustBundle: /etc/sallyport/trust/roots.pem
    method: kubernetes
    token: /var/run/secrets/sallyport/token
    agent: {{ include "sallyport.injectorId" . | quote }}
    keep: /run/sallyport/identity
  {{- else }}
  source: workload-api
  workloadApi:
    socket: unix:///spiffe-workload-api/spire-agent.sock
    id: {{ include "sallyport.injectorId" . | quote }}
  {{- end }}
inbound:
  - listen: 0.0.0.0:8445
    upstream: http://127.0.0.1:8446
    # Requests are held until there is another policy, two for each pod; all pods of a service account are one peer, which must not take all of the 16,384 that are held.
    limits: { upstreamTimeout: 6m, requestTimeout: 6m, streamIdleTimeout: 6m, openPerPeer: 4096, connections: 40000 }
policy:
  # In the image, compiled when it was made.
  bundle: /app/dist/policy-service.tar.gz
  decision: sallyport/policy_service/decision
probes:
  listen: 0.0.0.0:15020
log:
  level: {{ .Values.injector.front.logLevel }}
{{- end -}}

{{- define "sallyport.authorityConfig" -}}
{{- $given := deepCopy .Values.authority.config -}}
{{- /* A map of values is merged with the default one: with `*` in it nobody could ever be left out. */ -}}
{{- if not $given.kubernetes.namespaces -}}{{- $_ := unset $given.kubernetes "namespaces" -}}{{- end -}}
{{- $kubernetes := mergeOverwrite (dict "publish" (dict "configMap" (include "sallyport.trust" .))) $given.kubernetes -}}
{{- $own := dict "trustDomain" .Values.trustDomain "dir" "/var/lib/sallyport/ca" "listen" "0.0.0.0:8444" "health" (dict "listen" "0.0.0.0:8080") "kubernetes" $kubernetes -}}
{{- with .Values.authority.keys -}}
{{- if .issuingKey -}}{{- $_ := set $own "privateKey" (printf "/etc/sallyport/keys/%s" .issuingKey) -}}{{- end -}}
{{- if .passphrase -}}{{- $_ := set $own "passphrase" (printf "/etc/sallyport/keys/%s" .passphrase) -}}{{- end -}}
{{- end -}}
{{- mergeOverwrite (omit $given "kubernetes") $own | toYaml -}}
{{- end -}}
