import { decide } from '../inject/decide.ts';
import { asJson, inject } from '../inject/inject.ts';
import { objectAt, textAt, type TextMap } from '../inject/json.ts';
import { ownerOfPod } from '../inject/objects.ts';
import type { InjectionSettings } from '../inject/settings.ts';
import { jsonPatch } from './json-patch.ts';
import type { AdmissionAnswer, AdmissionRequest } from './review.ts';

/** What the answer depends on besides the request. */
export interface InjectionSurroundings {
  readonly settings: InjectionSettings;
  readonly namespaceAnnotations: TextMap;
  /** Variables of the webhook's URL. */
  readonly environment: TextMap;
}

/** Puts the proxy into a pod that is made. Which pods are sent here is the webhook configuration's choice; a pod that is refused is told why. */
export function reviewInjection(request: AdmissionRequest, around: InjectionSurroundings): AdmissionAnswer {
  const { object, kind, operation } = request;
  if (kind.group !== '' || kind.kind !== 'Pod' || operation !== 'CREATE') return { allowed: true };
  if (object === undefined) return { allowed: false, message: 'the request has no pod' };
  // The object of a request may have neither name (generateName) nor namespace.
  const metadata = { ...objectAt(object, 'metadata') };
  const namespace = request.namespace === '' ? (textAt(metadata, 'namespace') ?? '') : request.namespace;
  const pod = { metadata, spec: objectAt(object, 'spec') };
  const decision = decide(pod, namespace, around.settings);
  if (!decision.inject) return { allowed: true };
  const outcome = inject(
    {
      pod,
      owner: ownerOfPod(metadata),
      namespace,
      namespaceAnnotations: around.namespaceAnnotations,
      environment: around.environment,
    },
    around.settings,
  );
  if (!outcome.ok) return { allowed: false, message: `the proxy cannot be injected: ${outcome.reason}` };
  const { metadata: labelled, spec } = asJson(outcome.pod);
  return { allowed: true, patch: jsonPatch(object, { ...object, metadata: labelled, spec }) };
}
