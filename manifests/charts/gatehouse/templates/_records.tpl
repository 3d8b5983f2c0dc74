{{/* What is kept of calls, who is told, and who may see it; as kubernetes/install/records.ts. */}}

{{- define "gatehouse.hasPage" -}}
{{- if or .Values.page.tokensSecret .Values.page.oidc.issuer -}}yes{{- end -}}
{{- end -}}

{{- define "gatehouse.recordArgs" -}}
- --audit-db={{ .Values.audit.database | default "/var/lib/gatehouse/audit.db" }}
{{- if .Values.audit.secret }}
{{- if not .Values.audit.database }}{{ fail "audit.secret is only for audit.database" }}{{ end }}
- --audit-db-password-file=/run/secrets/gatehouse/audit/password
{{- end }}
{{- with .Values.audit.minutes }}
- --audit-minutes={{ . }}
{{- end }}
{{- with .Values.audit.hours }}
- --audit-hours={{ . }}
{{- end }}
{{- with .Values.audit.retention }}
- --audit-retention={{ . }}
{{- end }}
{{- if .Values.alertsSecret }}
- --alerts=/run/secrets/gatehouse/alerts/alerts.yaml
{{- end }}
{{- if include "gatehouse.hasPage" . }}
- --page-address=0.0.0.0:15080
{{- with .Values.page.url }}
- --page-url={{ . }}
{{- end }}
{{- if .Values.page.tokensSecret }}
- --page-tokens=/run/secrets/gatehouse/page-tokens/tokens.yaml
{{- end }}
{{- if .Values.page.sessionsSecret }}
- --page-session-key=/run/secrets/gatehouse/page-sessions/keys
{{- end }}
{{- with .Values.page.oidc }}
{{- if .issuer }}
- --page-oidc-issuer={{ .issuer }}
- --page-oidc-client-id={{ required "page.oidc.issuer needs page.oidc.clientId" .clientId }}
{{- if .secret }}
- --page-oidc-client-secret-file=/run/secrets/gatehouse/page-oidc/client-secret
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "gatehouse.recordSecrets" -}}
{{- $secrets := dict -}}
{{- with .Values.audit.secret }}{{ $_ := set $secrets "1-audit" . }}{{ end -}}
{{- with .Values.alertsSecret }}{{ $_ := set $secrets "2-alerts" . }}{{ end -}}
{{- with .Values.page.tokensSecret }}{{ $_ := set $secrets "3-page-tokens" . }}{{ end -}}
{{- if include "gatehouse.hasPage" . }}{{ with .Values.page.sessionsSecret }}{{ $_ := set $secrets "4-page-sessions" . }}{{ end }}{{ end -}}
{{- if .Values.page.oidc.issuer }}{{ with .Values.page.oidc.secret }}{{ $_ := set $secrets "5-page-oidc" . }}{{ end }}{{ end -}}
{{- toJson $secrets -}}
{{- end -}}
