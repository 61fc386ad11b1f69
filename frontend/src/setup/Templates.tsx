/** The templates of a new project, side by side. */
import { TEMPLATES, type Template } from "./templates";

export function Templates({ chosen, onChoose }: { chosen: string | null; onChoose: (template: Template) => void }) {
  return (
    <fieldset>
      <legend className="title mb-2 text-lg">Begin from</legend>
      <div className="grid gap-2 sm:grid-cols-2">
        {TEMPLATES.map((template) => (
          <label key={template.key} className="panel relative block cursor-pointer p-3 hover:border-edge has-checked:border-accent has-checked:bg-accent-wash has-focus-visible:outline-2 has-focus-visible:outline-accent">
            <input type="radio" name="template" value={template.key} checked={chosen === template.key} onChange={() => onChoose(template)} className="absolute inset-0 cursor-pointer opacity-0" />
            <span className="pointer-events-none block font-medium">{template.name}</span>
            <span className="pointer-events-none mt-0.5 block text-sm text-soft">{template.use}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
