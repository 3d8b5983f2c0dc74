import { type JsonObject, objectAt, textAt } from '../inject/json.ts';
import type { AdmissionAnswer, AdmissionRequest } from '../webhook/review.ts';
import { ORDER_ANNOTATION, parseOrder } from './order.ts';

/** Whether an order that comes with a NamespaceRollout is one, and comes from whom it says. Undefined: there is nothing to say against it. */
export function reviewOrder(request: AdmissionRequest): AdmissionAnswer | undefined {
  const { kind, operation, object, oldObject } = request;
  if (kind.group !== 'gatehouse.dev' || kind.kind !== 'NamespaceRollout' || object === undefined) return undefined;
  if (operation !== 'CREATE' && operation !== 'UPDATE') return undefined;
  const text = orderIn(object);
  if (text === undefined) return undefined;
  if (oldObject !== undefined && orderIn(oldObject) === text) return undefined;
  const order = parseOrder(text);
  const refuse = (reason: string): AdmissionAnswer => ({ allowed: false, message: `${ORDER_ANNOTATION}: ${reason}` });
  if (!order.ok) return refuse(order.reason);
  const {
    id,
    order: { by },
  } = order.value;
  const done = textAt(objectAt(objectAt(oldObject ?? {}, 'status'), 'lastOrder'), 'id') === id;
  if (request.username === undefined || request.username === '') return refuse('the request has no user');
  if (by !== request.username)
    return refuse(
      `by: ${JSON.stringify(by)} is not who asks, ${JSON.stringify(request.username)} (nobody orders in another's name)`,
    );
  if (done) return refuse(`id: ${JSON.stringify(id)} was acted on already (another order needs another id)`);
  return undefined;
}

function orderIn(object: JsonObject): string | undefined {
  return textAt(objectAt(objectAt(object, 'metadata'), 'annotations'), ORDER_ANNOTATION);
}
