import { PORTS } from './names.ts';
import type { InstallOptions } from './options.ts';

/** Where Secrets are mounted; each is a folder of its own. */
const SECRETS = '/run/secrets/gatehouse';

export interface RecordsPart {
  readonly args: readonly string[];
  readonly mounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly: true }[];
  readonly volumes: readonly unknown[];
}

/** Read by the container's group alone. */
const MODE = 0o440;

function secretPart(name: string, secretName: string | undefined): Pick<RecordsPart, 'mounts' | 'volumes'> {
  if (secretName === undefined) return { mounts: [], volumes: [] };
  return {
    mounts: [{ name, mountPath: `${SECRETS}/${name}`, readOnly: true }],
    volumes: [{ name, secret: { secretName, defaultMode: MODE } }],
  };
}

/** What is kept of calls and for how long, who is told, and who may see it: arguments of the control plane, and the Secrets that they name. */
export function recordsPart({ audit, alertsSecret, page }: InstallOptions, stateDir: string): RecordsPart {
  const given = (flag: string, value: string | undefined): readonly string[] => (value === undefined ? [] : [`${flag}=${value}`]);
  const secrets = [
    secretPart('audit', audit.secret),
    secretPart('alerts', alertsSecret),
    secretPart('page-tokens', page?.tokensSecret),
    secretPart('page-sessions', page?.sessionsSecret),
    secretPart('page-oidc', page?.oidc?.secret),
  ];
  return {
    args: [
      `--audit-db=${audit.database ?? `${stateDir}/audit.db`}`,
      ...(audit.secret === undefined ? [] : [`--audit-db-password-file=${SECRETS}/audit/password`]),
      ...given('--audit-minutes', audit.minutes),
      ...given('--audit-hours', audit.hours),
      ...given('--audit-retention', audit.retention),
      ...(alertsSecret === undefined ? [] : [`--alerts=${SECRETS}/alerts/alerts.yaml`]),
      ...(page === undefined ? [] : [`--page-address=0.0.0.0:${PORTS.page}`]),
      ...given('--page-url', page?.url),
      ...(page?.tokensSecret === undefined ? [] : [`--page-tokens=${SECRETS}/page-tokens/tokens.yaml`]),
      ...(page?.sessionsSecret === undefined ? [] : [`--page-session-key=${SECRETS}/page-sessions/keys`]),
      ...given('--page-oidc-issuer', page?.oidc?.issuer),
      ...given('--page-oidc-client-id', page?.oidc?.clientId),
      ...(page?.oidc?.secret === undefined ? [] : [`--page-oidc-client-secret-file=${SECRETS}/page-oidc/client-secret`]),
    ],
    mounts: secrets.flatMap(({ mounts }) => mounts),
    volumes: secrets.flatMap(({ volumes }) => volumes),
  };
}
