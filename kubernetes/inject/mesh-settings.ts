import { isObject, type JsonObject, objectAt, textAt } from './json.ts';
import type { InjectionSettings } from './settings.ts';

/** What Istio's MeshConfig says of proxies that are injected: `defaultConfig`, the trust domain, ports, merged metrics. */
export function settingsOfMeshConfig(mesh: JsonObject, base: InjectionSettings): InjectionSettings {
  const { controlPlane } = base;
  const port = (field: string, fallback: number): number => {
    const value = mesh[field];
    return typeof value === 'number' && value > 0 ? value : fallback;
  };
  const mode = isObject(mesh['inboundTrafficPolicy']) ? textAt(mesh['inboundTrafficPolicy'], 'mode') : undefined;
  const proxyConfig = { ...base.proxyConfig, ...objectAt(mesh, 'defaultConfig') };
  const status = proxyConfig['statusPort'];
  return {
    ...base,
    trustDomain: textAt(mesh, 'trustDomain') ?? base.trustDomain,
    mergePrometheus: mesh['enablePrometheusMerge'] !== false && base.mergePrometheus,
    probesToLocalhost: mode === 'LOCALHOST' || base.probesToLocalhost,
    controlPlane: {
      address: textAt(proxyConfig, 'discoveryAddress') ?? controlPlane.address,
      outboundPort: port('proxyListenPort', controlPlane.outboundPort),
      inboundPort: port('proxyInboundListenPort', controlPlane.inboundPort),
    },
    statusPort: typeof status === 'number' && status > 0 ? String(status) : base.statusPort,
    proxyConfig,
  };
}
