/**
 * A call as something to paste: curl, TypeScript (Node 20, a browser with the file part changed), Python (httpx). A key
 * never stands in it; where one is needed it is read from ONEPEACE_KEY. Files are named, not embedded.
 */
import type { ApiCall, FormField } from '../api/call.ts'

export const LANGUAGES = ['curl', 'TypeScript', 'Python'] as const
export type Language = (typeof LANGUAGES)[number]

export interface SnippetContext {
  /** Scheme, host and port of the service. */
  origin: string
  withKey: boolean
}

export function snippet(language: Language, call: ApiCall, context: SnippetContext): string {
  return { curl: curlOf, TypeScript: typescriptOf, Python: pythonOf }[language](call, context)
}

function curlOf({ method, path, json, form }: ApiCall, { origin, withKey }: SnippetContext): string {
  const lines = [`curl ${method === 'GET' || json !== undefined || form ? '' : `-X ${method} `}${shell(origin + path)}`]
  if (withKey) lines.push(`-H "authorization: Bearer $ONEPEACE_KEY"`)
  if (json !== undefined) lines.push(`-H 'content-type: application/json'`, `-d ${shell(JSON.stringify(json))}`)
  // Of an ordinary -F, curl would read '@', '<' and ';type=' as its own.
  for (const field of form ?? [])
    lines.push(
      isText(field)
        ? `--form-string ${shell(`${field.name}=${field.text}`)}`
        : `-F ${shell(`${field.name}=@${curlFile(field.fileName)}`)}`,
    )
  return lines.join(' \\\n  ')
}

/** A name with characters that curl would take for the next field is quoted, as its manual says. */
function curlFile(name: string): string {
  return /^[^,;"\\]+$/.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`
}

function shell(text: string): string {
  return /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

function typescriptOf({ method, path, json, form }: ApiCall, { origin, withKey }: SnippetContext): string {
  const headers = [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: of the snippet, not of this file
    ...(withKey ? ['authorization: `Bearer ${process.env.ONEPEACE_KEY}`'] : []),
    ...(json === undefined ? [] : [`'content-type': 'application/json'`]),
  ]
  const options = [
    ...(method === 'GET' ? [] : [`method: '${method}'`]),
    ...(headers.length > 0 ? [`headers: { ${headers.join(', ')} }`] : []),
    ...(json === undefined ? [] : [`body: JSON.stringify(${JSON.stringify(json, null, 2).replaceAll('\n', '\n  ')})`]),
    ...(form ? ['body: form'] : []),
  ]
  const fields = (form ?? []).map((field) =>
    isText(field)
      ? `form.append('${field.name}', ${JSON.stringify(field.text)})`
      : `form.append('${field.name}', await openAsBlob(${JSON.stringify(field.fileName)}), ${JSON.stringify(field.fileName)})`,
  )
  return [
    ...((form ?? []).some((field) => !isText(field)) ? [`import { openAsBlob } from 'node:fs'`, ''] : []),
    ...(form ? ['const form = new FormData()', ...fields] : []),
    options.length === 0
      ? `const response = await fetch(${JSON.stringify(origin + path)})`
      : `const response = await fetch(${JSON.stringify(origin + path)}, {\n${options.map((option) => `  ${option},\n`).join('')}})`,
    'if (!response.ok) throw new Error(await response.text())',
    'console.log(await response.json())',
  ].join('\n')
}

function pythonOf({ method, path, json, form }: ApiCall, { origin, withKey }: SnippetContext): string {
  const fields = (form ?? []).map((field) =>
    isText(field)
      ? `("${field.name}", (None, ${JSON.stringify(field.text)})),`
      : `("${field.name}", (${JSON.stringify(field.fileName)}, open(${JSON.stringify(field.fileName)}, "rb"))),`,
  )
  const args = [
    JSON.stringify(origin + path),
    ...(withKey ? [`headers={"authorization": f"Bearer {os.environ['ONEPEACE_KEY']}"}`] : []),
    ...(json === undefined ? [] : [`json=${python(json)}`]),
    ...(form ? [`files=[\n${fields.map((field) => `        ${field}\n`).join('')}    ]`] : []),
  ]
  return [
    ...(withKey ? ['import os'] : []),
    'import httpx',
    '',
    `response = httpx.${method.toLowerCase()}(\n${args.map((arg) => `    ${arg},\n`).join('')})`,
    'if not response.is_success:',
    '    raise SystemExit(response.text)',
    'print(response.json())',
  ].join('\n')
}

/** JSON's literals as Python writes them; strings are written alike in both. */
function python(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (value === null) return 'None'
  if (typeof value !== 'object') return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, one]) => `${JSON.stringify(key)}: ${python(one)}`)
    .join(', ')}}`
}

function isText(field: FormField): field is FormField & { text: string } {
  return 'text' in field
}
