{{/* Names, labels, and what several templates have in common. */}}

{{- define "weir.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}
{{- end }}

{{/* Called with (list $ "operator"). */}}
{{- define "weir.name" -}}
{{- $root := index . 0 }}{{ include "weir.fullname" $root }}-{{ index . 1 }}
{{- end }}

{{- define "weir.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "weir.labels" -}}
{{- $root := index . 0 -}}
{{ include "weir.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{- define "weir.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* weir.yaml as the operator gets it: what people wrote, and what only the chart knows. */}}
{{- define "weir.config" -}}
{{- $namespace := .Release.Namespace -}}
{{- $accounts := dict
      "edge" (list (printf "%s/%s" $namespace (include "weir.name" (list . "edge"))))
      "dns-server" (list (printf "%s/%s" $namespace (include "weir.name" (list . "dns-server")))) -}}
{{- $own := dict "trust" (dict "serviceAccounts" $accounts) -}}
{{- if .Values.edge.enabled }}{{ $_ := set $own "registration" dict }}{{ end -}}
{{- if .Values.redis.enabled -}}
{{- $_ := set $own "redis" (dict "url" (printf "redis://%s:6379" (include "weir.name" (list . "redis")))) }}
{{- end -}}
{{ mergeOverwrite $own (deepCopy .Values.config) | toYaml }}
{{- end }}

{{/* Of a container at the level `restricted`. */}}
{{- define "weir.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "weir.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* Called with (list $ .Values.edge "edge"): where its pods run. */}}
{{- define "weir.place" -}}
{{- $root := index . 0 }}{{ $values := index . 1 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Replicas on nodes of their own, in zones of their own where that goes. */}}
{{- define "weir.spread" -}}
{{- $root := index . 0 }}{{ $values := index . 1 }}{{ $hard := index . 3 }}
{{- if $values.affinity }}
affinity: {{ toYaml $values.affinity | nindent 2 }}
{{- else if $hard }}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{ include "weir.selectorLabels" (list $root (index . 2)) | nindent 12 }}
{{- end }}
topologySpreadConstraints:
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "weir.selectorLabels" (list $root (index $ 2)) | nindent 8 }}
{{- end }}
{{- end }}

{{/* A folder of the node belongs to root: our user gets it. Called with (list $ .Values.edge.state). */}}
{{- define "weir.prepareState" -}}
{{- $root := index . 0 }}{{ $state := index . 1 }}
{{- if eq $state.type "HostPath" }}
initContainers:
  - name: state
    image: {{ include "weir.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    command: [node, -e, "require('node:fs').chownSync('/state', 65532, 65532)"]
    securityContext:
      runAsNonRoot: false
      runAsUser: 0
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: { drop: [ALL], add: [CHOWN] }
    resources: { requests: { cpu: 10m, memory: 64Mi } }
    volumeMounts: [{ name: state, mountPath: /state }]
{{- end }}
{{- end }}

{{/* Called with (list .Values.edge.state): nothing where a claim for each pod is made. */}}
{{- define "weir.stateVolume" -}}
{{- $state := index . 0 }}
{{- if eq $state.type "HostPath" }}
- name: state
  hostPath: { path: {{ $state.hostPath }}, type: DirectoryOrCreate }
{{- else if eq $state.type "EmptyDir" }}
- name: state
  emptyDir: {}
{{- end }}
{{- end }}

{{- define "weir.claim" -}}
metadata: { name: state }
spec:
  accessModes: [ReadWriteOnce]
  {{- with .storageClassName }}
  storageClassName: {{ . }}
  {{- end }}
  resources: { requests: { storage: {{ .size }} } }
{{- end }}

{{/* By what an agent finds the operator, and what it shows to it for its first certificate. */}}
{{- define "weir.agentArgs" -}}
{{- if eq .Values.mode "edge" -}}
- --operator={{ required "join.operator: where the operator of the other cluster is" .Values.join.operator }}
- --join-token-file=/run/weir/join/token
{{- else -}}
- --operator=https://{{ include "weir.name" (list . "operator") }}.{{ .Release.Namespace }}.svc:8700
- --service-account-token-file=/run/weir/token/token
- --operator-ca=/run/weir/ca/ca.pem
{{- end }}
- --state=/var/lib/weir
{{- end }}

{{- define "weir.agentMounts" -}}
- { name: state, mountPath: /var/lib/weir }
{{- if eq .Values.mode "edge" }}
{{- /* Of all the tokens in the Secret, that of this node. */}}
- { name: join, mountPath: /run/weir/join/token, subPathExpr: $(NODE_NAME), readOnly: true }
{{- else }}
- { name: token, mountPath: /run/weir/token, readOnly: true }
- { name: ca, mountPath: /run/weir/ca, readOnly: true }
{{- end }}
{{- end }}

{{- define "weir.agentVolumes" -}}
{{- if eq .Values.mode "edge" -}}
- name: join
  secret: { secretName: {{ required "join.tokenSecret: a Secret with a join token for each node" .Values.join.tokenSecret }}, defaultMode: 0440 }
{{- else -}}
- name: token
  projected:
    sources: [{ serviceAccountToken: { audience: weir, expirationSeconds: 3600, path: token } }]
# The operator makes it; a pod that is sooner waits for it.
- name: ca
  configMap: { name: weir-ca-bundle }
{{- end }}
{{- end }}

{{/* /healthz and /readyz on the port called `admin`. A first start compiles geo data. */}}
{{- define "weir.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}

{{/* By which Prometheus, and `kubectl weir top`, find the metrics. */}}
{{- define "weir.podAnnotations" -}}
{{- $values := index . 0 -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ index . 1 | quote }}
{{- with $values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* All addresses of a family, as `--listen` has them. */}}
{{- define "weir.anyAddress" -}}
{{ eq . "IPv6" | ternary "[::]" "0.0.0.0" }}
{{- end }}

{{/* The Service in front of what clients or agents reach. Called with (list $ .Values.edge.service). */}}
{{- define "weir.serviceSpec" -}}
{{- $root := index . 0 }}
{{- with index . 1 -}}
type: {{ .type }}
{{- if gt (len $root.Values.ipFamilies) 1 }}
ipFamilyPolicy: PreferDualStack
{{- end }}
{{- if ne .type "ClusterIP" }}
externalTrafficPolicy: {{ .externalTrafficPolicy }}
{{- end }}
{{- if eq .type "LoadBalancer" }}
{{- with .loadBalancerClass }}
loadBalancerClass: {{ . }}
{{- end }}
{{- with .loadBalancerIP }}
loadBalancerIP: {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Of a port of such a Service, within its braces. */}}
{{- define "weir.nodePort" -}}
{{- if and (eq .type "NodePort") .nodePort }}, nodePort: {{ .nodePort }}{{ end }}
{{- end }}
