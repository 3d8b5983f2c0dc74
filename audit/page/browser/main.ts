import { App } from './app.ts';

const app = new App(document.body);
void app.start();
