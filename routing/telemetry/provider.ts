import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { TelemetryProvider } from '../../mesh/model/telemetry.ts';

/** Istio has this one without being told, unless MeshConfig names another so. */
const ENVOY: TelemetryProvider = Object.freeze({ kind: 'file-log', path: '/dev/stdout', format: undefined });

/** The provider of that name, if it is one of telemetry that can be used. */
export function telemetryProviderNamed(mesh: MeshConfig, name: string): TelemetryProvider | undefined {
  const written = mesh.extensionProviders?.find((one) => one.name === name);
  if (written === undefined) return name === 'envoy' ? ENVOY : undefined;
  return written.kind === 'other' ? written.telemetry : undefined;
}
