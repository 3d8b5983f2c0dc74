import type { Command } from 'commander';
import { putCommand } from './input/put-command.ts';

/** `gatehouse apply`: creates what is not there and changes what is. */
export function applyCommand(): Command {
  return putCommand({
    name: 'apply',
    description: 'create or change objects in a folder of configuration or in a cluster',
    examples: `Examples:
  gatehouse apply -f route.yaml
  gatehouse apply -f manifests/ --dir /etc/gatehouse/mesh
  cat route.yaml | gatehouse apply -f -
  gatehouse apply -f manifests/ --kubernetes                    # the cluster of the kubeconfig
  gatehouse apply -f route.yaml -n shop --context prod --dry-run`,
    refusal: () => undefined,
    outcome: (outcome) => outcome,
  });
}
