import type { ApiClient } from '../api/client.ts';
import { listAt, textAt } from '../api/json.ts';
import { ORDERS_WEBHOOK } from '../install/webhooks.ts';

/** Whether the API server lets no order in that a webhook of ours has not looked at. Where that cannot be asked, nobody vouches. */
export async function ordersAreVouched(client: ApiClient): Promise<boolean> {
  try {
    const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations?labelSelector=app%3Dgatehouse';
    const webhooks = listAt(await client.request({ path, timeoutMs: 5_000 }), 'items').flatMap((item) =>
      listAt(item, 'webhooks'),
    );
    return webhooks.some((one) => textAt(one, 'name') === ORDERS_WEBHOOK && textAt(one, 'failurePolicy') === 'Fail');
  } catch {
    return false;
  }
}
