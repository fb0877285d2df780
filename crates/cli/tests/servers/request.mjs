// Requests as a browser sends them: with the cookies of the responses before, and redirects for the
// caller to follow.
export const FORM = 'application/x-www-form-urlencoded';
export const JSON_TYPE = 'application/json';

export function browser() {
  const cookies = new Map();
  return async (method, url, type, body) => {
    const response = await fetch(url, {
      method,
      body: body || undefined,
      headers: {
        cookie: [...cookies].map((pair) => pair.join('=')).join('; '),
        'content-type': type ?? FORM,
      },
      redirect: 'manual',
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]*)=([^;]*)/);
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    return { status: response.status, location, text: await response.text() };
  };
}
