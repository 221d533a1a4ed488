/** The call just made as curl, TypeScript or Python, to take along. */
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { ApiCall } from '../api/call.ts'
import { LANGUAGES, type Language, snippet } from '../logic/snippets.ts'
import { useSession } from '../session.ts'
import { Code } from './code.tsx'

const TOLD_MS = 2000

export function CopyAs({ call }: { call: ApiCall | undefined }) {
  const { key } = useSession()
  const [isOpen, setOpen] = useState(false)
  const [language, setLanguage] = useState<Language>('curl')
  const [told, setTold] = useState('')
  const id = useId()
  const code = useRef<HTMLElement>(null)
  useEffect(() => {
    if (told === '') return
    const timer = setTimeout(() => setTold(''), TOLD_MS)
    return () => clearTimeout(timer)
  }, [told])
  if (!call) return null
  const text = snippet(language, call, { origin: location.origin, withKey: key !== '' })
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      setTold('Copied')
    } catch {
      getSelection()?.selectAllChildren(code.current!) // no clipboard outside https and localhost
      setTold('Selected; copy it with the keyboard')
    }
  }
  return (
    <div class="copy-as">
      <button type="button" class="quiet" aria-expanded={isOpen} aria-controls={id} onClick={() => setOpen(!isOpen)}>
        <span aria-hidden="true">{'</>'}</span> Copy as code
      </button>
      {isOpen && (
        <div id={id} class="snippet">
          <div class="row">
            <fieldset class="segmented">
              <legend class="hidden">Language</legend>
              {LANGUAGES.map((one) => (
                <label key={one}>
                  <input type="radio" name={id} checked={one === language} onChange={() => setLanguage(one)} />
                  <span>{one}</span>
                </label>
              ))}
            </fieldset>
            <button type="button" onClick={copy}>
              Copy
            </button>
            <span role="status">{told}</span>
          </div>
          <Code box={code} text={text} label={`The request as ${language}`} />
        </div>
      )}
    </div>
  )
}
