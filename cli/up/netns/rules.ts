import { DEFAULT_CAPTURE } from '../../../kubernetes/capture/options.ts';
import { NOTHING, restoreText } from '../../../kubernetes/capture/restore.ts';
import { captureTable, type Family } from '../../../kubernetes/capture/rules.ts';

/** What the rules of a pod's namespace depend on. */
export interface RedirectInput {
  readonly proxyUser: number;
  readonly outboundPort: number;
  readonly inboundPort: number;
  /** For iptables-restore, or for ip6tables-restore. */
  readonly family: Family;
}

/** The rules of a new network namespace, for iptables-restore: those of `gatehouse capture`, with everything captured. */
export function redirectRules({ proxyUser, outboundPort, inboundPort, family }: RedirectInput): string {
  const options = { ...DEFAULT_CAPTURE, outboundPort, inboundPort, proxyUids: [proxyUser], proxyGids: [proxyUser] };
  return restoreText(captureTable(options, family), NOTHING);
}
