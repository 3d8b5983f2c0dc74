import { selects } from '../../mesh/model/object.ts';
import { parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import { notCapturedBy } from './captured.ts';

/** Why a port takes plain text, or that it does not. */
export type PlainTextSetting =
  | { readonly takes: false }
  | {
      readonly takes: true;
      /** `NOT-CAPTURED`: no proxy sees its traffic; `GATEWAY`: PeerAuthentications are not for the servers of Gateways. */
      readonly mode: 'PERMISSIVE' | 'DISABLE' | 'NOT-CAPTURED' | 'GATEWAY';
      /** `NAMESPACE/NAME` of the PeerAuthentication, an annotation, or the Gateway; undefined: the mesh's default. */
      readonly setBy: string | undefined;
    };

/** What of a workload counts. Without instances (not even none): nothing is known of it but where it is. */
export type SettledWorkload = Pick<Workload, 'namespace' | 'labels' | 'annotations'> & {
  readonly instances: Workload['instances'] | undefined;
};

const REFUSES: PlainTextSetting = Object.freeze({ takes: false });

/** Whether plain text is taken on a port of a workload's own; undefined: on all that no policy names. */
export function plainTextSetting(snapshot: Snapshot, workload: SettledWorkload, number: number | undefined): PlainTextSetting {
  const gateway = snapshot.gateways.find(
    ({ selector }) => Object.keys(selector).length > 0 && selects(selector, workload.labels),
  );
  if (gateway !== undefined)
    return { takes: true, mode: 'GATEWAY', setBy: `Gateway ${gateway.meta.namespace}/${gateway.meta.name}` };
  const port = parsePort(number ?? 0);
  const { mode, setBy } = port === undefined ? workloadMtlsSetting(snapshot, workload) : mtlsSetting(snapshot, workload, port);
  if (mode !== 'STRICT') return { takes: true, mode, setBy };
  const passed = port === undefined ? undefined : notCapturedBy(workload, port);
  return passed === undefined ? REFUSES : { takes: true, mode: 'NOT-CAPTURED', setBy: passed };
}

/** Whether a call to a port is taken in plain text for certain: of one that is not known, only where every port takes it. */
export function surelyTakesPlainText(snapshot: Snapshot, workload: SettledWorkload, port: number | undefined): boolean {
  if (!plainTextSetting(snapshot, workload, port).takes) return false;
  if (port !== undefined) return true;
  return snapshot.peerAuthentications
    .filter(({ meta }) => meta.namespace === workload.namespace)
    .every(({ portLevel }) => [...portLevel.keys()].every((named) => plainTextSetting(snapshot, workload, named).takes));
}
