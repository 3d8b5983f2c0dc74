import type { AlertRules } from '../../../audit/alerts/rules.ts';

export interface Webhook {
  readonly name: string;
  readonly url: URL;
  /** With which messages are signed; undefined: they are not. */
  readonly secret: Uint8Array | undefined;
  /** PEM; undefined: the machine's authorities. */
  readonly authorities: string | undefined;
  readonly timeoutMs: number;
}

/** What `--alerts` says. */
export interface AlertSettings {
  readonly rules: AlertRules;
  readonly webhooks: readonly Webhook[];
}
