import type { TcpKeepalive } from './destination-rule.ts';
import type { Visibility } from './service.ts';
import type { Retries } from './virtual-service.ts';

/** What MeshConfig says for objects that say nothing themselves; undefined: Istio's own defaults. */
export interface MeshDefaults {
  readonly connectTimeoutMs: number | undefined;
  readonly tcpKeepalive: TcpKeepalive | undefined;
  /** HTTP/1.1 is carried over HTTP/2 between proxies. */
  readonly upgradeToHttp2: boolean | undefined;
  readonly retries: Retries | undefined;
  /** Of a proxy toward its own application, HTTP only; absent: Istio's two, of what the application has not begun to read. */
  readonly inboundRetries?: Retries | undefined;
  /** Namespaces may hold `.`, the object's own. */
  readonly exportTo: {
    readonly service: Visibility | undefined;
    readonly virtualService: Visibility | undefined;
    readonly destinationRule: Visibility | undefined;
  };
}
