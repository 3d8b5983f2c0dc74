import { htmlText } from '../../../report/html-text.ts';

export interface LoginPage {
  readonly stylesheet: string;
  readonly withToken: boolean;
  readonly withProvider: boolean;
  readonly problem: string | undefined;
}

function frame(stylesheet: string, head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gatehouse: sign in</title>
<link rel="stylesheet" href="${htmlText(stylesheet)}">${head}
</head>
<body class="login"><main>
<h1>Gatehouse</h1>
${body}
</main></body>
</html>
`;
}

export function loginDocument({ stylesheet, withToken, withProvider, problem }: LoginPage): string {
  return frame(
    stylesheet,
    '',
    [
      problem === undefined ? '' : `<p class="problem" role="alert">${htmlText(problem)}</p>`,
      withProvider ? '<p><a class="button" href="/auth/start">Sign in</a></p>' : '',
      withToken
        ? `<form method="post" action="/login"><label>Token<input type="password" name="token" autocomplete="current-password" required></label><button type="submit">${withProvider ? 'Sign in with a token' : 'Sign in'}</button></form>`
        : '',
    ]
      .filter((part) => part !== '')
      .join('\n'),
  );
}

/** Goes on by itself: the next request then comes from our own site, and so with the session. */
export function signedInDocument(stylesheet: string): string {
  return frame(stylesheet, '\n<meta http-equiv="refresh" content="0; url=/">', '<p>Signed in. <a href="/">Go on</a></p>');
}
