/** Where Istio's agent answers DNS in a pod. */
export const DNS_PORT = 15_053;

/** Istio's switch: `ISTIO_META_DNS_CAPTURE` in the `proxyMetadata` of MeshConfig's defaultConfig, or of the pod's own `proxy.istio.io/config`. */
export function isDnsCaptured(environment: Readonly<Record<string, string | undefined>>): boolean {
  return environment['ISTIO_META_DNS_CAPTURE']?.toLowerCase() === 'true';
}
