{{/* The same names as kubernetes/install/names.ts. */}}
{{- define "gatehouse.name" -}}
{{- if eq .Values.revision "default" }}gatehouse{{ else }}gatehouse-{{ .Values.revision }}{{ end }}
{{- end }}

{{- define "gatehouse.clusterName" -}}
{{ include "gatehouse.name" . }}{{ if ne .Release.Namespace "gatehouse-system" }}-{{ .Release.Namespace }}{{ end }}
{{- end }}

{{- define "gatehouse.selectorLabels" -}}
app: gatehouse
gatehouse.dev/revision: {{ .Values.revision }}
{{- end }}

{{- define "gatehouse.labels" -}}
{{ include "gatehouse.selectorLabels" . }}
app.kubernetes.io/name: gatehouse
app.kubernetes.io/instance: {{ include "gatehouse.name" . }}
app.kubernetes.io/part-of: gatehouse
{{- end }}

{{/* The kinds of configuration, by group; kubernetes/install/access.ts has the same. */}}
{{- define "gatehouse.configuration" -}}
networking.istio.io: [destinationrules, gateways, proxyconfigs, serviceentries, sidecars, virtualservices, workloadentries, workloadgroups]
security.istio.io: [authorizationpolicies, peerauthentications, requestauthentications]
telemetry.istio.io: [telemetries]
gateway.networking.k8s.io: [backendtlspolicies, gatewayclasses, gateways, grpcroutes, httproutes, listenersets, referencegrants, tcproutes, tlsroutes]
gatehouse.dev: [namespacerollouts, ratelimits]
{{- end }}
