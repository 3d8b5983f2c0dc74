import type { Parsed } from '../../ca/identity/parsed.ts';
import { parsed, refused } from '../../ca/identity/parsed.ts';
import { parseLabel, parseSubdomain } from '../agent/scalars.ts';
import { parseToken } from '../identity/token.ts';
import { disagreement } from './token-claims.ts';

/** The pod that a volume is for, as the kubelet says. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

/** A volume that is to be in a pod. */
export interface WantedVolume {
  readonly id: string;
  readonly target: string;
  readonly pod: Pod;
  /** The pod's own token for the authority. */
  readonly token: string;
}

/** What NodePublishVolume says, free of protobuf. */
export interface PublishRequest {
  readonly volumeId: string;
  readonly targetPath: string;
  readonly readonly: boolean;
  readonly access: 'mount' | 'block' | undefined;
  readonly context: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
}

const PREFIX = 'csi.storage.k8s.io/';
const TOKENS = `${PREFIX}serviceAccount.tokens`;
/** Kubernetes makes UUIDs; static pods have hashes. */
const UID = /^[A-Za-z0-9][-A-Za-z0-9]{0,62}$/;
const VOLUME_ID = /^[A-Za-z0-9][-A-Za-z0-9_.]{0,127}$/;

/**
 * Reads what the kubelet says of the pod (the CSIDriver object's `podInfoOnMount` and `tokenRequests`). The token must be the pod's own:
 * fields of the context that the kubelet does not fill could be the pod's words, and a token cannot.
 * @param audience that of the token
 */
export function readVolume(request: PublishRequest, audience: string): Parsed<WantedVolume> {
  const { volumeId, targetPath, context } = request;
  if (!VOLUME_ID.test(volumeId)) return refused('volume_id is missing or has other characters than names have');
  if (request.access !== 'mount') return refused('only volumes that are mounted are served (volume_capability: mount)');
  if (!request.readonly) return refused('the volume must be read-only: set readOnly: true beside driver in the pod');
  if (context[`${PREFIX}ephemeral`] !== 'true')
    return refused('only volumes within a pod are served (volumes[].csi), no PersistentVolumes');
  const pod = readPod(context);
  if (!pod.ok) return pod;
  const token = readPodToken(context[TOKENS] ?? request.secrets[TOKENS], audience);
  if (!token.ok) return token;
  const wrong = disagreement(token.value, pod.value, audience);
  if (wrong !== undefined) return refused(`the token is not this pod's: ${wrong}`);
  return parsed({ id: volumeId, target: targetPath, pod: pod.value, token: token.value });
}

function readPod(context: Readonly<Record<string, string>>): Parsed<Pod> {
  const [namespace, name] = [
    parseLabel(context[`${PREFIX}pod.namespace`] ?? ''),
    parseSubdomain(context[`${PREFIX}pod.name`] ?? ''),
  ];
  const serviceAccount = parseSubdomain(context[`${PREFIX}serviceAccount.name`] ?? '');
  const uid = context[`${PREFIX}pod.uid`] ?? '';
  if (!namespace.ok || !name.ok || !serviceAccount.ok || !UID.test(uid))
    return refused('the kubelet does not say which pod it is: the CSIDriver object needs podInfoOnMount: true');
  return parsed({ namespace: namespace.value, name: name.value, uid, serviceAccount: serviceAccount.value });
}

/** `{"AUDIENCE": {"token": "...", "expirationTimestamp": "..."}}`. The reasons never quote it. */
function readPodToken(text: string | undefined, audience: string): Parsed<string> {
  const missing = `the kubelet brings no token for ${audience}: the CSIDriver object needs tokenRequests with that audience`;
  if (text === undefined) return refused(missing);
  let tokens: unknown;
  try {
    tokens = JSON.parse(text);
  } catch {
    return refused('the tokens that the kubelet brings are no JSON');
  }
  const entry: unknown =
    typeof tokens === 'object' && tokens !== null ? Object.entries(tokens).find(([key]) => key === audience)?.[1] : undefined;
  if (typeof entry !== 'object' || entry === null || !('token' in entry) || typeof entry.token !== 'string')
    return refused(missing);
  const token = parseToken(entry.token);
  return token.ok ? token : refused(`the token for ${audience} cannot be used: ${token.reason}`);
}
