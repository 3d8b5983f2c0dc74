import { Command } from 'commander';
import { explainCommand } from './route/explain.ts';

/** `gatehouse route`: questions about where requests go. */
export function routeCommand(): Command {
  return new Command('route')
    .description('where a request goes, and why')
    .addHelpText(
      'after',
      `
Examples:
  gatehouse route explain -f mesh/ --from shop/website --to http://reviews:9080/reviews/7
  gatehouse route explain -f mesh/ --from gateway:istio-system/ingress --to http://shop.example.com/cart -o json`,
    )
    .addCommand(explainCommand());
}
