# SPDX-License-Identifier: MIT
"""Results in the forms that people and services read: text, JSON, JUnit, Gradescope's results.json, GitHub Classroom."""
import base64
import json
import os
import xml.etree.ElementTree as xml

LIMIT = 8 << 10     # of one test's output


def is_hidden(result):
    return getattr(result.part, "visibility", "visible") == "hidden"


def totals(results):
    return sum(result.score for result in results), sum(result.part.points for result in results)


def label(result):
    part = result.part
    return f"{part.name} ({part.mode}, {part.smp} processor{'s' if part.smp > 1 else ''})" if hasattr(part, "mode") else part.name


def text(lab, results):
    lines = [f"Lab {lab.number}: {lab.title}", ""]
    for result in results:
        lines.append(f"{result.score:>3}/{result.part.points:<3} {result.outcome.verdict:<14} {label(result)}")
        lines += ["                       " + line for line in result.outcome.lines.splitlines()[:12]]
        if result.outcome.verdict != "ok" and result.outcome.repeat:
            lines.append(f"                       again: {result.outcome.repeat}")
    score, points = totals(results)
    return "\n".join([*lines, "", f"{score}/{points}", ""])


def plain(lab, results, seed):
    return json.dumps({
        "schema": "lab-result/1", "lab": lab.number, "title": lab.title, "seed": seed, "score": totals(results)[0], "points": totals(results)[1],
        "tests": [{"name": result.part.name, "mode": getattr(result.part, "mode", "static"), "smp": getattr(result.part, "smp", 0),
                   "hidden": is_hidden(result), "score": result.score, "points": result.part.points, "verdict": result.outcome.verdict,
                   "lines": result.outcome.lines, "repeat": result.outcome.repeat} for result in results]}, indent=1) + "\n"


def junit(lab, results, seed):
    suite = xml.Element("testsuite", name=f"lab{lab.number}", tests=str(len(results)),
                        failures=str(sum(result.outcome.verdict != "ok" for result in results)))
    for result in results:
        case = xml.SubElement(suite, "testcase", classname=f"lab{lab.number}", name=label(result), time=f"{result.seconds:.2f}")
        if result.outcome.verdict != "ok":
            xml.SubElement(case, "failure", message=result.outcome.verdict).text = printable(result.outcome.lines)
    return xml.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def printable(text):
    return "".join(byte if byte >= " " or byte == "\n" else "?" for byte in text)[:LIMIT]


def gradescope(lab, results, seed):
    """Hidden tests are scored after the due date; the visible part's sum stands in the output, for the total is not shown until then."""
    seen = [result for result in results if not is_hidden(result)]
    broken = any(result.outcome.verdict == "infrastructure" for result in results)
    output = ("The grader itself failed: this is not your fault, and will be run again.\n" if broken else "") + \
        "lab {}, seed {}, visible {}/{}; hidden tests are scored after the due date".format(lab.number, seed, *totals(seen))
    return json.dumps({
        "output": output, "stdout_visibility": "hidden", "visibility": "visible", "test_output_format": "text",
        "execution_time": round(sum(result.seconds for result in results), 1),
        "extra_data": {"lab": lab.number, "seed": seed},
        "tests": [{"number": f"{lab.number}.{place}", "name": label(result), "score": result.score, "max_score": result.part.points,
                   "status": "passed" if result.outcome.verdict == "ok" else "failed",
                   "visibility": "after_due_date" if is_hidden(result) else "visible", "output_format": "text",
                   "output": printable(f"{result.outcome.verdict}\n{result.outcome.lines}\n{result.outcome.repeat}".strip())}
                  for place, result in enumerate(results, 1)]}, indent=1) + "\n"


def classroom(lab, results, seed):
    """What the step's output `result` holds for GitHub Classroom's reporter: base64 of JSON."""
    status = "pass" if all(result.outcome.verdict == "ok" for result in results) else "fail"
    facts = {"version": 1, "status": status, "max_score": totals(results)[1], "tests": [
        {"name": label(result), "status": "pass" if result.outcome.verdict == "ok" else "fail", "score": result.score,
         "message": printable(f"{result.outcome.verdict}: {result.outcome.lines}"), "test_code": result.outcome.repeat, "filename": "", "line_no": 0,
         "execution_time": f"{result.seconds:.1f}s"} for result in results]}
    return base64.b64encode(json.dumps(facts).encode()).decode() + "\n"


FORMATS = {"text": lambda lab, results, seed: text(lab, results), "json": plain, "junit": junit, "gradescope": gradescope,
           "classroom": classroom}


def write(path, data):
    """Whole or not at all: a grader that is ended by its time limit leaves the last whole one."""
    with open(path + ".new", "w") as file:
        file.write(data)
    os.replace(path + ".new", path)
