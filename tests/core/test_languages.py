import pytest

from arbplatform.core.languages import find_language


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, ""),
        ({"LANG": "C.UTF-8"}, ""),
        ({"LANG": "zh_CN.UTF-8"}, "zh_Hans"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, ""),
        ({"ARB_LANGUAGE": "en", "LC_ALL": "zh_CN.UTF-8"}, ""),
        ({"ARB_LANGUAGE": "zh-hans", "LC_ALL": "en_US.UTF-8"}, "zh_Hans"),
        ({"ARB_LANGUAGE": "", "LANG": "zh_CN.UTF-8"}, "zh_Hans"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh_Hans"),
    ],
)
def test_the_first_variable_that_is_set_names_the_language_of_a_terminal(environment, language):
    assert find_language(environment) == language
