import type { JsonObject, TextMap } from './json.ts';

/** A Kubernetes label selector, as far as its shape goes. */
export interface LabelSelector {
  readonly matchLabels: TextMap;
  readonly matchExpressions: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values: readonly string[];
  }[];
}

/** Who sets up the capture of a pod's traffic: an init container, or a CNI plugin (then an init container checks it). */
export type CaptureBy = { readonly kind: 'init' } | { readonly kind: 'cni'; readonly multus: boolean };

/** What an installation says of injected proxies. Istio's Helm values fill it as well: see values.ts. */
export interface InjectionSettings {
  /** What holds where neither the pod nor a selector says anything. */
  readonly policy: 'enabled' | 'disabled';
  readonly neverInject: readonly LabelSelector[];
  readonly alwaysInject: readonly LabelSelector[];
  readonly revision: string;
  readonly hub: string;
  readonly tag: string;
  /** Names below the hub, or whole references (with a `/`). */
  readonly proxyImage: string;
  readonly captureImage: string;
  readonly imagePullPolicy: string | undefined;
  readonly imagePullSecrets: readonly string[];
  readonly injectedAnnotations: TextMap;
  readonly defaultTemplates: readonly string[];
  /** Parts of pods to merge over the built-in templates, by name. No template language. */
  readonly customTemplates: ReadonlyMap<string, JsonObject>;
  readonly nativeSidecars: boolean;
  readonly captureBy: CaptureBy;
  readonly rewriteProbes: boolean;
  readonly mergePrometheus: boolean;
  readonly holdApplication: boolean;
  readonly controlPlane: { readonly address: string; readonly inboundPort: number; readonly outboundPort: number };
  readonly clusterDomain: string;
  readonly trustDomain: string;
  readonly meshId: string | undefined;
  readonly clusterId: string;
  readonly network: string | undefined;
  readonly traffic: {
    readonly includeIPRanges: string;
    readonly excludeIPRanges: string;
    readonly includeInboundPorts: string;
    readonly excludeInboundPorts: string;
    readonly includeOutboundPorts: string;
    readonly excludeOutboundPorts: string;
  };
  readonly statusPort: string;
  readonly readiness: { readonly initialDelaySeconds: number; readonly periodSeconds: number; readonly failureThreshold: number };
  /** Probes of a start that takes long; absent: none. */
  readonly startup: { readonly failureThreshold: number } | undefined;
  readonly proxyLogLevel: string;
  readonly componentLogLevel: string;
  readonly agentLogLevel: string;
  readonly logAsJson: boolean;
  readonly privileged: boolean;
  readonly coreDump: boolean;
  readonly resources: JsonObject;
  readonly lifecycle: JsonObject | undefined;
  readonly seccompProfile: JsonObject | undefined;
  readonly mountCertificates: boolean;
  /** Where inbound calls of rewritten probes go. */
  readonly probesToLocalhost: boolean;
  /** Fields of Istio's ProxyConfig that the mesh configuration gives (`defaultConfig`). */
  readonly proxyConfig: JsonObject;
}

/** As Istio's default profile has them. */
export const DEFAULT_SETTINGS: InjectionSettings = Object.freeze<InjectionSettings>({
  policy: 'enabled',
  neverInject: [],
  alwaysInject: [],
  revision: 'default',
  hub: 'gatehouse',
  tag: '0.1.0',
  proxyImage: 'proxy',
  captureImage: 'proxy',
  imagePullPolicy: undefined,
  imagePullSecrets: [],
  injectedAnnotations: {},
  defaultTemplates: ['sidecar'],
  customTemplates: new Map(),
  nativeSidecars: true,
  captureBy: { kind: 'init' },
  rewriteProbes: true,
  mergePrometheus: true,
  holdApplication: false,
  controlPlane: { address: 'gatehouse.gatehouse-system.svc:15012', inboundPort: 15006, outboundPort: 15001 },
  clusterDomain: 'cluster.local',
  trustDomain: 'cluster.local',
  meshId: undefined,
  clusterId: 'Kubernetes',
  network: undefined,
  traffic: {
    includeIPRanges: '*',
    excludeIPRanges: '',
    includeInboundPorts: '*',
    excludeInboundPorts: '',
    includeOutboundPorts: '',
    excludeOutboundPorts: '',
  },
  statusPort: '15020',
  readiness: { initialDelaySeconds: 0, periodSeconds: 15, failureThreshold: 4 },
  startup: { failureThreshold: 600 },
  proxyLogLevel: 'warning',
  componentLogLevel: 'misc:error',
  agentLogLevel: 'info',
  logAsJson: false,
  privileged: false,
  coreDump: false,
  resources: { limits: { cpu: '2000m', memory: '1024Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
  lifecycle: undefined,
  seccompProfile: undefined,
  mountCertificates: false,
  probesToLocalhost: false,
  proxyConfig: {},
});
