{{/* What the pods of the chart share: the profile `restricted`, tokens for one purpose each, where they run. */}}

{{- define "sallyport.podSecurity" -}}
runAsNonRoot: true
runAsUser: 61337
runAsGroup: 61337
fsGroup: 61337
# The state of the authority and kept identities are their owner's alone, and have to stay so over a restart.
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "sallyport.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* The token for the API server, in the containers that need it only: as the API server mounts it. */}}
{{- define "sallyport.apiVolume" -}}
name: api
projected:
  defaultMode: 0440
  sources:
    - serviceAccountToken: { path: token, expirationSeconds: 3607 }
    - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
    - downwardAPI: { items: [{ path: namespace, fieldRef: { fieldPath: metadata.namespace } }] }
{{- end -}}

{{- define "sallyport.apiMount" -}}
{ name: api, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
{{- end -}}

{{/* Until the authority has published its roots the mount, and with it the pod, waits. */}}
{{- define "sallyport.trustVolume" -}}
name: trust
configMap: { name: {{ include "sallyport.trust" . }}, items: [{ key: roots.pem, path: roots.pem }] }
{{- end -}}

{{- define "sallyport.scheduling" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .root.Values.priorityClass.name }}
priorityClassName: {{ . }}
{{- end }}
{{- with .settings.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .settings.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- end -}}
