def generate(env):
    pass
