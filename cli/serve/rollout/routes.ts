import { parseOrderBody } from '../../../policy/rollout/order.ts';
import type { Rollouts } from '../../../policy/rollout/ports.ts';
import type { AdminRoutes } from '../admin-socket.ts';

/** `/rollout`: how far each namespace is, what the next step would be, and the orders. Refusals are 409 with what is in the way. */
export function rolloutRoutes(rollouts: Rollouts): AdminRoutes {
  const none = (namespace: string) => ({
    error: `namespace ${namespace} has no NamespaceRollout; gatehouse rollout plan ${namespace} -o yaml prints one to begin with`,
  });
  return (app) => {
    app.get('/rollout', () => rollouts.statuses());
    app.get<{ Params: { namespace: string } }>('/rollout/:namespace', async ({ params: { namespace } }, reply) => {
      const status = await rollouts.status(namespace);
      return status === undefined ? reply.code(404).send(none(namespace)) : reply.send(status);
    });
    app.get<{ Params: { namespace: string } }>('/rollout/:namespace/plan', async ({ params: { namespace } }, reply) => {
      const plan = await rollouts.plan(namespace);
      return plan.ok ? reply.send(plan.plan) : reply.code(409).send({ error: plan.error, heldBy: [] });
    });
    app.post<{ Params: { namespace: string; order: string } }>('/rollout/:namespace/:order', async ({ params, body }, reply) => {
      const order = parseOrderBody(params.order, body);
      if (!order.ok) return reply.code(400).send({ error: order.reason });
      const answer = await rollouts.order(params.namespace, order.value);
      if (answer.ok) return reply.send(answer.status);
      return reply.code(409).send({ error: answer.error, heldBy: answer.heldBy });
    });
  };
}
