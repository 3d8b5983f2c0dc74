import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { isObject, type JsonObject, objectAt, textAt } from '../inject/json.ts';

/** What the API server asks (admission.k8s.io/v1). */
export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly namespace: string;
  readonly name: string;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  /** Absent for what is deleted. */
  readonly object: JsonObject | undefined;
  /** As it was before an update. */
  readonly oldObject?: JsonObject | undefined;
  /** Who asks, as the API server knows them. */
  readonly username?: string | undefined;
}

/** What is answered. A patch is applied only to what is allowed. */
export interface AdmissionAnswer {
  readonly allowed: boolean;
  /** Why not; shown to whoever asked. */
  readonly message?: string;
  /** Shown by kubectl, also where it is allowed. */
  readonly warnings?: readonly string[];
  readonly patch?: readonly JsonObject[];
}

const OPERATIONS = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const;

/** Reads an AdmissionReview; anything else is refused, since nothing could be answered to it. */
export function parseReview(body: string): Parsed<AdmissionRequest> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return refused('the body is no JSON');
  }
  if (!isObject(value) || textAt(value, 'kind') !== 'AdmissionReview') return refused('the body is no AdmissionReview');
  if (textAt(value, 'apiVersion') !== 'admission.k8s.io/v1') return refused('only admission.k8s.io/v1 is spoken here');
  const request = objectAt(value, 'request');
  const kind = objectAt(request, 'kind');
  const uid = textAt(request, 'uid');
  const operation = OPERATIONS.find((one) => one === request['operation']);
  if (uid === undefined || uid === '' || operation === undefined)
    return refused('the AdmissionReview has no request with uid and operation');
  return parsed({
    uid,
    operation,
    kind: { group: textAt(kind, 'group') ?? '', version: textAt(kind, 'version') ?? '', kind: textAt(kind, 'kind') ?? '' },
    namespace: textAt(request, 'namespace') ?? '',
    name: textAt(request, 'name') ?? '',
    object: isObject(request['object']) ? request['object'] : undefined,
    oldObject: isObject(request['oldObject']) ? request['oldObject'] : undefined,
    username: textAt(objectAt(request, 'userInfo'), 'username'),
  });
}

const MOST_WARNINGS = 20;
/** The API server cuts all of them together at 4096 characters, and one at 256 where they are more. */
const LONGEST_WARNING = 250;

function short(text: string): string {
  const plain = text.replace(/\p{Cc}/gu, ' ');
  return plain.length <= LONGEST_WARNING ? plain : `${plain.slice(0, LONGEST_WARNING - 1)}…`;
}

/** The AdmissionReview that answers. */
export function answerText(uid: string, { allowed, message, warnings = [], patch = [] }: AdmissionAnswer): string {
  const shown = warnings.slice(0, MOST_WARNINGS).map(short);
  if (warnings.length > MOST_WARNINGS) shown.push(`and ${warnings.length - MOST_WARNINGS} more`);
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed,
      ...(message === undefined ? {} : { status: { code: 403, reason: 'Forbidden', message } }),
      ...(shown.length === 0 ? {} : { warnings: shown }),
      ...(patch.length === 0 ? {} : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
    },
  });
}
