import { mapAt, textAt } from '../api/json.ts';

/** What counts of a Lease (coordination.k8s.io/v1). */
export interface LeaseRecord {
  /** Empty: nobody's. */
  readonly holder: string;
  readonly durationSeconds: number;
  /** RFC 3339 with microseconds, by the holder's clock: compared for change only, never with a clock. */
  readonly renewTime: string;
  readonly acquireTime: string;
  readonly transitions: number;
  readonly resourceVersion: string;
}

export function leaseRecord(object: unknown): LeaseRecord {
  const spec = mapAt(object, 'spec');
  const number = (name: string): number => (typeof spec[name] === 'number' ? spec[name] : 0);
  return {
    holder: textAt(spec, 'holderIdentity'),
    durationSeconds: number('leaseDurationSeconds'),
    renewTime: textAt(spec, 'renewTime'),
    acquireTime: textAt(spec, 'acquireTime'),
    transitions: number('leaseTransitions'),
    resourceVersion: textAt(object, 'metadata', 'resourceVersion'),
  };
}

/** Kubernetes' MicroTime: six digits, of which JavaScript knows three. */
export function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
